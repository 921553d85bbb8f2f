import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { describeForUsers } from './describe-for-users.ts';
import { currentUser, query } from './fixture.ts';

const readMode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
const listProcesses = () => execFileSync('ps', ['-A', '-ww', '-o', 'args=']).toString();

describeForUsers(
  'the embedded database protects',
  (fixture) => {
    it('its password: it is in neither the process list, the output nor the log', async () => {
      const { directory } = fixture();
      await fixture().removeCluster();
      const holder = await fixture().startHolder();
      const opening = holder.open(directory);
      let opened = false;
      void opening.then(() => {
        opened = true;
      });
      let seen = '';
      while (!opened) {
        seen += listProcesses();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const { url } = await opening;
      const password = (await readFile(join(directory, 'cluster/password'), 'utf8')).trim();
      expect(password).to.have.length(43); // 32 bytes
      expect(url).to.include(password);
      seen +=
        listProcesses() +
        (await holder.send({ do: 'print' })) +
        (await readFile(join(directory, 'server.log'), 'utf8'));
      seen += holder.logged.join('\n');
      expect(seen).to.include(directory).and.not.include(password);
      await holder.release();
    });

    it('its files: only their owner can access them', async () => {
      const { directory } = fixture();
      await fixture().removeCluster();
      const holder = await fixture().startHolder();
      await holder.open(directory);
      for (const folder of ['', 'cluster', 'cluster/data']) {
        expect(await readMode(join(directory, folder)), folder).to.equal('700');
      }
      for (const file of ['server.log', 'cluster/password', 'cluster/data/postmaster.pid']) {
        expect(await readMode(join(directory, file)), file).to.equal('600');
      }
      await holder.release();
    });

    it('its port: it accepts only connections to 127.0.0.1 with the password', async () => {
      const holder = await fixture().startHolder();
      const { url, port } = await holder.open(fixture().directory);
      const [settings] = await query(
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
          () => 'accepted',
          () => 'refused',
        );
        expect(outcome, `password "${password}"`).to.equal('refused');
      }
      const rules = await query(url, 'select distinct auth_method from pg_hba_file_rules');
      expect(rules).to.deep.equal([{ auth_method: 'scram-sha-256' }]);
      await holder.release();
    });
  },
  [currentUser],
);
