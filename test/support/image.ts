import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, posix } from 'node:path';
import { default as dockerignore } from '@balena/dockerignore';
import {
  type Arg,
  type Copy,
  DockerfileParser,
  type Env,
  type From,
  type Healthcheck,
  type Instruction,
  type JSONInstruction,
} from 'dockerfile-ast';
import { copySources, ROOT, run } from './packed.ts';

/** The capabilities that Docker gives to the steps of a build and to containers, unless they are dropped. */
const CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL'.split(
    ' ',
  );

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** How long a step may take, in milliseconds. */
const STEP_MS = 240_000;

/** What the steps of a stage have left: a folder that is `/`, and what its processes start with. */
export interface Image {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  /** `uid:gid`. */
  user: string;
  entrypoint: readonly string[];
  command: readonly string[];
  healthCheck: readonly string[];
}

/**
 * Does what the steps of `Dockerfile` say, one after the other, in empty folders: no container engine is needed, and none is replaced.
 * A base image is Debian's smallest system, from Debian's packages, with this Node.js and npm in it. Steps run under
 * [bubblewrap](https://github.com/containers/bubblewrap) as root or as the account that `USER` names, and reach npm's registry as this
 * machine does. A step that this does not know is an error.
 */
export class ImageBuild {
  readonly #folder: string;
  readonly #context: string;
  readonly #args: Readonly<Record<string, string>>;
  readonly #stages = new Map<string, Image>();

  /** `folder` is an empty one, for all that comes into being. */
  constructor(folder: string, args: Readonly<Record<string, string>> = {}) {
    this.#folder = folder;
    this.#args = args;
    this.#context = join(folder, 'context');
    const ignore = dockerignore.default().add(readFileSync(join(ROOT, '.dockerignore'), 'utf8'));
    copySources(this.#context, (path) => !ignore.ignores(path));
  }

  /** Does all steps, and returns the last stage. `onStep` is told of each before it is done. */
  build(onStep: (step: string) => void): Image {
    const instructions = DockerfileParser.parse(
      readFileSync(join(ROOT, 'Dockerfile'), 'utf8'),
    ).getInstructions();
    let image: Image | undefined;
    const args: Record<string, string> = {};
    for (const instruction of instructions) {
      onStep(instruction.getTextContent().split('\n', 1)[0] ?? '');
      if (instruction.getKeyword() === 'FROM') {
        image = this.#begin(instruction as From);
        continue;
      }
      if (image === undefined) throw new Error('The first instruction is not FROM.');
      this.#do(instruction, image, args);
    }
    return image as Image;
  }

  #begin(from: From): Image {
    const name = from.getImage() ?? '';
    const stage = from.getBuildStage() ?? `stage ${this.#stages.size}`;
    const root = join(this.#folder, `root-${this.#stages.size}`);
    const image: Image = {
      root,
      env: { PATH },
      workdir: '/',
      user: '0:0',
      entrypoint: [],
      command: [],
      healthCheck: [],
    };
    this.#copyOfBase(name, root);
    this.#stages.set(stage, image);
    return image;
  }

  /** Debian's smallest system, with what the image of Node.js has on top: Node.js, npm, and the account `node`. */
  #copyOfBase(name: string, root: string): void {
    const [, major, suite] = /^node:(\d+)-(\w+)-slim$/.exec(name) ?? [];
    if (major !== process.versions.node.split('.')[0] || suite === undefined)
      throw new Error(`No base like ${name} can be made here, where Node.js is ${process.versions.node}.`);
    const base = join(this.#folder, name.replace(':', '-'));
    if (!existsSync(base)) {
      // It needs to survive no power failure.
      const quickly = ['--dpkgopt=force-unsafe-io', '--aptopt=Acquire::Languages "none"'];
      run('mmdebstrap', ['--quiet', '--variant=minbase', ...quickly, suite, base], { timeout: STEP_MS });
      const local = join(base, 'usr/local');
      cpSync(process.execPath, join(local, 'bin/node'));
      const npm = run('bash', ['-c', 'readlink -f "$(command -v npm)"']).trim();
      cpSync(join(npm, '../..'), join(local, 'lib/node_modules/npm'), { recursive: true });
      for (const program of ['npm', 'npx'])
        symlinkSync(`../lib/node_modules/npm/bin/${program}-cli.js`, join(local, 'bin', program));
      for (const [file, line] of [
        ['passwd', 'node:x:1000:1000::/home/node:/bin/bash\n'],
        ['group', 'node:x:1000:\n'],
      ] as const)
        writeFileSync(join(base, 'etc', file), line, { flag: 'a' });
      run('install', ['--directory', '--owner=1000', '--group=1000', join(base, 'home/node')]);
    }
    run('cp', ['--archive', '--reflink=auto', base, root]);
  }

  #do(instruction: Instruction, image: Image, args: Record<string, string>): void {
    const text = instruction.getArgumentsContent() ?? '';
    switch (instruction.getKeyword()) {
      case 'WORKDIR':
        image.workdir = posix.resolve(image.workdir, text);
        mkdirSync(join(image.root, image.workdir), { recursive: true });
        return;
      case 'ENV':
        for (const property of (instruction as Env).getProperties())
          image.env[property.getName()] = property.getValue() ?? '';
        return;
      case 'ARG': {
        const property = (instruction as Arg).getProperty();
        if (property) args[property.getName()] = this.#args[property.getName()] ?? property.getValue() ?? '';
        return;
      }
      case 'USER':
        image.user = text;
        return;
      case 'COPY':
        this.#copy(instruction as Copy, image);
        return;
      case 'RUN':
        this.#run(instruction as JSONInstruction, image, args);
        return;
      case 'ENTRYPOINT':
        image.entrypoint = JSON.parse(text);
        return;
      case 'CMD':
        image.command = JSON.parse(text);
        return;
      case 'HEALTHCHECK':
        image.healthCheck = JSON.parse(
          (instruction as Healthcheck).getArgumentsContent()?.replace(/^CMD /, '') ?? '',
        );
        return;
      case 'LABEL':
      case 'EXPOSE':
        return;
      default:
        throw new Error(`This build does not know ${instruction.getKeyword()}.`);
    }
  }

  /** As Docker does: the contents of a folder, or a file into the folder or to the path that comes last; root's, unless `--chown` says otherwise. */
  #copy(instruction: Copy, image: Image): void {
    const flags = Object.fromEntries(
      instruction.getFlags().map((flag) => [flag.getName(), flag.getValue() ?? '']),
    );
    const { from, ...others } = flags;
    if (Object.keys(others).length > 0) throw new Error(`This build does not know ${Object.keys(others)}.`);
    const origin = from === undefined ? this.#context : this.#stages.get(from)?.root;
    if (origin === undefined) throw new Error(`There is no stage ${from}.`);
    const paths = instruction.getArguments().map((argument) => argument.getValue());
    const destination = paths.pop() ?? '';
    const target = join(image.root, posix.resolve(image.workdir, destination));
    for (const path of paths) {
      const source = join(origin, path);
      const isFolder = spawnSync('test', ['-d', source]).status === 0;
      const isInto = isFolder || destination.endsWith('/');
      mkdirSync(isInto ? target : join(target, '..'), { recursive: true });
      const to = isInto && !isFolder ? join(target, basename(path)) : target;
      const what = isFolder ? `${source}/.` : source;
      run('cp', ['--recursive', '--no-dereference', '--preserve=mode,links,timestamps', what, to]);
    }
  }

  #run(instruction: JSONInstruction, image: Image, args: Readonly<Record<string, string>>): void {
    const caches = instruction.getFlags().flatMap((flag) => {
      const [, target] = /^type=cache,target=(\S+)$/.exec(flag.getValue() ?? '') ?? [];
      if (flag.getName() !== 'mount' || target === undefined)
        throw new Error(`This build does not know --${flag.getName()}=${flag.getValue()}.`);
      // Of this machine: the same packages need not come again.
      const source = join(homedir(), '.npm');
      mkdirSync(source, { recursive: true });
      mkdirSync(join(image.root, target), { recursive: true });
      return ['--bind', source, target];
    });
    const { mounts, env } = wayToTheRegistry();
    const options = [
      ...['--bind', image.root, '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/run', ...caches],
      ...mounts,
      ...confinement(image, { ...env, ...args, HOME: image.user === '0:0' ? '/root' : '/home/node' }),
    ];
    run('bwrap', [...options, ...as(image.user), '/bin/sh', '-c', instruction.getArgumentsContent() ?? ''], {
      timeout: STEP_MS,
    });
  }
}

/** How a container is started. */
export interface ContainerOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Files in `/run/secrets`, by their names there. */
  readonly secrets: Readonly<Record<string, string>>;
  /** A folder that is `/tmp`, the only one that can be written. */
  readonly temporary: string;
}

/**
 * Starts a program of an image as a container engine does with `read_only`, `cap_drop: [ALL]` and `no-new-privileges`: as PID 1, under
 * the image's account, without capabilities, on a root that cannot be written. The network is that of this machine.
 */
export function startContainer(
  image: Image,
  { env, secrets, temporary }: ContainerOptions,
  command = image.command,
): ChildProcess {
  chmodSync(temporary, 0o1777);
  const files = Object.entries(secrets).flatMap(([name, path]) => [
    '--ro-bind',
    path,
    `/run/secrets/${name}`,
  ]);
  const options = [
    ...['--ro-bind', image.root, '/', '--dev', '/dev', '--proc', '/proc', '--bind', temporary, '/tmp'],
    ...['--tmpfs', '/run', '--perms', '0755', '--dir', '/run/secrets', ...files, '--remount-ro', '/run'],
    '--as-pid-1',
    ...confinement(image, env),
  ];
  return spawn('bwrap', [...options, ...as(image.user), ...image.entrypoint, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** What the steps of a build and containers have in common: namespaces of their own, and only the image's environment. */
function confinement(image: Image, env: NodeJS.ProcessEnv): string[] {
  const variables = Object.entries({ ...image.env, ...env }).flatMap(([name, value]) => [
    '--setenv',
    name,
    value ?? '',
  ]);
  const capabilities = CAPABILITIES.flatMap((name) => ['--cap-add', `CAP_${name}`]);
  const apart = ['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent', '--clearenv'];
  return [...apart, '--chdir', image.workdir, ...capabilities, ...variables];
}

/** Becomes an account, for good, unless that is root. */
function as(user: string): string[] {
  const [uid = '0', gid = '0'] = user.split(':');
  if (uid === '0') return [];
  const ids = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return ['setpriv', ...ids, '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--'];
}

/** The files and variables by which npm reaches its registry from this machine; nothing of them stays in an image. */
function wayToTheRegistry(): { mounts: string[]; env: NodeJS.ProcessEnv } {
  const given = Object.entries(process.env).filter(([name]) =>
    /^(?:npm_config_registry|https?_proxy|no_proxy)$/i.test(name),
  );
  const env: NodeJS.ProcessEnv = Object.fromEntries(given);
  const mounts = ['/etc/resolv.conf', '/etc/hosts'].flatMap((path) => ['--ro-bind', path, path]);
  const mount = (path: string | undefined, as: string, variables: readonly string[]) => {
    if (path === undefined || !existsSync(path)) return;
    mounts.push('--ro-bind', path, as);
    for (const name of variables) env[name] = as;
  };
  mount(process.env['NODE_EXTRA_CA_CERTS'], '/run/certificates', [
    'NODE_EXTRA_CA_CERTS',
    'npm_config_cafile',
  ]);
  mount(join(homedir(), '.npmrc'), '/run/npmrc', ['npm_config_userconfig']);
  return { mounts, env };
}
