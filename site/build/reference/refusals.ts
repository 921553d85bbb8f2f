import type { Described, Problem } from './document.ts';
import { code, described } from './html.ts';

/** A code, with what is said under it, and the endpoints that answer with it. */
interface Entry {
  readonly problem: Problem;
  readonly details: Set<string>;
  readonly endpoints: Set<string>;
}

/** Every code of a refusal as Markdown, by status: what it means, and which endpoints answer with it. */
export function refusalsText(operations: readonly Described[]): string[] {
  const entries = [...entriesOf(operations)].sort(
    ([a, one], [b, other]) => one.problem.status - other.problem.status || a.localeCompare(b),
  );
  return [
    '# Refusals',
    'Every refusal is a problem (RFC 9457). Programs read its `code`: one that has been released stays. The text in `detail` is for people; here it is as an example. [A tour of the API](../api-tour.html#refusals) has more about them.',
    ...entries.flatMap(
      (
        [
          name,
          {
            problem: { status, title },
            details,
            endpoints,
          },
        ],
        index,
      ) => [
        ...(entries[index - 1]?.[1].problem.status === status ? [] : [`## ${status} ${title}`]),
        `### \`${name}\` {#${name}}`,
        [...details].map((detail) => `<p v-pre>${described(detail)}</p>`).join(''),
        `<details v-pre><summary>${endpoints.size === 1 ? '1 endpoint' : `${endpoints.size} endpoints`}</summary><p>${[...endpoints].map(code).join(', ')}</p></details>`,
      ],
    ),
  ];
}

function entriesOf(operations: readonly Described[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const { method, path, operation } of operations) {
    for (const { content } of Object.values(operation.responses)) {
      const examples = content?.['application/problem+json']?.examples ?? {};
      for (const [name, { value: problem }] of Object.entries(examples)) {
        const entry = entries.get(name) ?? { problem, details: new Set(), endpoints: new Set() };
        entry.details.add(problem.detail);
        entry.endpoints.add(`${method} ${path}`);
        entries.set(name, entry);
      }
    }
  }
  return entries;
}
