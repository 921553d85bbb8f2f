import { type Fence, fencesOf } from './markdown.ts';

/** The language of the blocks that are run, all of them, in the order of the page. */
const COMMANDS = 'sh';

const FENCE = '```';

/** The languages in which an output is shown, in a block right below its commands. */
const OUTPUTS: readonly string[] = ['json', 'text'];

/** Samples that are parts of the programs in `test/openapi/programs/`. */
export const EXCERPTS: readonly string[] = ['ts', 'python'];

/** The languages of samples: files, statements and pictures, which no shell runs. */
const SAMPLES: readonly string[] = ['json', 'js', 'sql', 'ini', 'http', 'mermaid', ...EXCERPTS];

/**
 * The blocks of commands that no test of a page can run, each with the file that runs them: these install what the tests
 * themselves run on, run the tests, or need a registry.
 */
export const RUN_ELSEWHERE: Readonly<Record<string, { readonly by: string; readonly commands: RegExp }>> = {
  'npm ci && npm start': { by: '.ci/run', commands: /npm ci && \.ci\/start/ },
  'npm ci && npm start\nnpm ci && npm test': { by: '.ci/run', commands: /\bnpm ci\b[\s\S]*\bnpm test\b/ },
  'npm pack --silent && cd "$(mktemp -d)" && npm install "$OLDPWD"/rollcall-0.2.0.tgz && npx rollcall': {
    by: 'test/package/package.ts',
    commands: /README\.md[\s\S]*npm pack /,
  },
  'npm ci --prefix site && npm run site': {
    by: '.ci/run',
    commands: /npm ci --prefix site\b[\s\S]*npm run test:site/,
  },
  'npx --package typescript@5 --package openapi-typescript@7.13.0 openapi-typescript http://127.0.0.1:8000/openapi.json -o schema.d.ts':
    {
      by: 'test/openapi/clients.ts',
      commands: /npmTool\('openapi-typescript'\), \['openapi\.json', '-o'/,
    },
  [`pip install openapi-python-client==0.29.1
echo '{ "content_type_overrides": { "application/x-ndjson": "application/octet-stream", "text/csv": "application/octet-stream" } }' > config.json
openapi-python-client generate --url http://127.0.0.1:8000/openapi.json --config config.json`]: {
    by: 'test/openapi/clients.ts',
    commands: /content_type_overrides[\s\S]*pythonTool\('openapi-python-client'\), \['generate'/,
  },
  [`mvn dependency:copy -Dartifact=org.openapitools:openapi-generator-cli:7.17.0 -DoutputDirectory=.
java -jar openapi-generator-cli-7.17.0.jar generate -g python -i http://127.0.0.1:8000/openapi.json -o client --global-property apis,models,supportingFiles`]:
    {
      by: 'test/openapi/clients.ts',
      commands: /'--global-property', 'apis,models,supportingFiles'/,
    },
};

/** Some commands of a page with the output that it shows for them, which is empty where it shows none. */
export interface Step {
  readonly commands: string;
  readonly output: string;
  /** The lines of the output's block, its fences too, counted from 0; where there is none, the place for one. */
  readonly first: number;
  readonly end: number;
}

/** Whether a page has commands. */
export function hasSteps(page: string): boolean {
  return page.split('\n').includes(FENCE + COMMANDS);
}

/**
 * The steps of a page.
 * @throws Error for a block that nobody runs and that may hold commands, by its language or by its text.
 */
export function stepsOf(page: string): Step[] {
  const lines = page.split('\n');
  const fences = fencesOf(page);
  const steps: Step[] = [];
  let previous: Fence | undefined;
  for (const fence of fences) {
    const { language, text, first, last } = fence;
    const at = `line ${first + 1}`;
    if (language === COMMANDS && Object.hasOwn(RUN_ELSEWHERE, text)) continue;
    if (language === COMMANDS) {
      steps.push({ commands: text, output: '', first: last + 1, end: last + 1 });
    } else if (previous?.language === COMMANDS && lines.slice(previous.last + 1, first).join('') === '') {
      if (!OUTPUTS.includes(language)) throw new Error(`${at}: show an output as ${OUTPUTS.join(' or ')}`);
      const step = steps.pop() as Step;
      steps.push({ ...step, output: text, first, end: last + 1 });
    } else if (!SAMPLES.includes(language)) {
      throw new Error(
        `${at}: nothing runs a block in "${language}": commands are ${COMMANDS}, samples ${SAMPLES.join(', ')}`,
      );
    } else if (/^(?:\$|>|#) /m.test(text) && language !== 'ini') {
      throw new Error(`${at}: this looks like commands: write them as ${COMMANDS}, without a prompt`);
    }
    previous = fence;
  }
  return steps;
}

/** The page with other outputs, one for each step. */
export function withOutputs(page: string, steps: readonly Step[], outputs: readonly string[]): string {
  const lines = page.split('\n');
  for (const [index, { first, end }] of [...steps.entries()].reverse()) {
    const output = (outputs[index] ?? '').replace(/\n+$/, '');
    const isNew = first === end;
    if (output === '') {
      // With the empty line before it.
      if (!isNew) lines.splice(first - 1, end - first + 1);
      continue;
    }
    const block = [FENCE + languageOf(output), ...output.split('\n'), FENCE];
    lines.splice(first, end - first, ...(isNew ? ['', ...block] : block));
  }
  return lines.join('\n');
}

/** JSON that is an object or an array, and else text. */
function languageOf(output: string): (typeof OUTPUTS)[number] {
  try {
    return typeof JSON.parse(output) === 'object' ? 'json' : 'text';
  } catch {
    return 'text';
  }
}
