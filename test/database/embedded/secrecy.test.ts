import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { ask, self } from './stage.ts';
import { asEveryone } from './story.ts';

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
const processList = () => execFileSync('ps', ['-A', '-ww', '-o', 'args=']).toString();

asEveryone(
  'what the embedded database keeps to itself',
  (stage) => {
    it('the password: not in the process list, not in what is printed, not in the log', async () => {
      const { directory } = stage();
      await stage().removeCluster();
      const holder = await stage().holder();
      const opening = holder.open(directory);
      let opened = false;
      void opening.then(() => {
        opened = true;
      });
      let seen = '';
      while (!opened) {
        seen += processList();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const { url } = await opening;
      const password = (await readFile(join(directory, 'cluster/password'), 'utf8')).trim();
      expect(password).to.have.length(43); // 32 bytes
      expect(url).to.include(password);
      seen +=
        processList() +
        (await holder.order({ do: 'print' })) +
        (await readFile(join(directory, 'server.log'), 'utf8'));
      seen += holder.logged.join('\n');
      expect(seen).to.include(directory).and.not.include(password);
      await holder.release();
    });

    it('its files', async () => {
      const { directory } = stage();
      await stage().removeCluster();
      const holder = await stage().holder();
      await holder.open(directory);
      for (const folder of ['', 'cluster', 'cluster/data']) {
        expect(await modeOf(join(directory, folder)), folder).to.equal('700');
      }
      for (const file of ['server.log', 'cluster/password', 'cluster/data/postmaster.pid']) {
        expect(await modeOf(join(directory, file)), file).to.equal('600');
      }
      await holder.release();
    });

    it('its port: on 127.0.0.1 only, and to those who know the password', async () => {
      const holder = await stage().holder();
      const { url, port } = await holder.open(stage().directory);
      const [settings] = await ask(
        url,
        `select current_setting('listen_addresses') as tcp, current_setting('unix_socket_directories') as socket`,
      );
      expect(settings).to.deep.equal({ tcp: '127.0.0.1', socket: '' });
      const others = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
      for (const { address, scopeid } of others.filter((entry) => entry.address !== '127.0.0.1')) {
        const socket = connect({ host: scopeid ? `${address}%${scopeid}` : address, port });
        const outcome = await once(socket, 'connect').then(
          () => 'connected',
          () => 'refused',
        );
        socket.destroy();
        expect(outcome, address).to.equal('refused');
      }
      for (const password of ['', 'wrong']) {
        const client = new pg.Client({
          host: '127.0.0.1',
          port,
          user: 'rollcall',
          database: 'rollcall',
          password,
        });
        client.on('error', () => {});
        const outcome = await client.connect().then(
          () => 'let in',
          () => 'refused',
        );
        expect(outcome, `password "${password}"`).to.equal('refused');
      }
      const rules = await ask(url, 'select distinct auth_method from pg_hba_file_rules');
      expect(rules).to.deep.equal([{ auth_method: 'scram-sha-256' }]);
      await holder.release();
    });
  },
  [self],
);
