import { useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Problem } from '../../../client/index.ts';
import { mayBeDone } from '../../data/api.ts';
import { useDraft } from '../../data/drafts.ts';
import { formatNumber } from '../../data/format.ts';
import { type Imported, type ImportReport, importAccounts } from '../../data/upload.ts';
import { Refused } from '../../parts/act.tsx';
import { Choice } from '../../parts/filters.tsx';
import { Arrow, Icon } from '../../parts/icons.tsx';
import { messageOf } from '../../parts/states.tsx';
import { askUndoRequest } from '../../parts/undo-request.tsx';
import { transferTexts as texts } from '../../texts/transfer.ts';
import { texts as shared } from '../../texts.ts';
import { type ImportFile, importFile } from './import-file.ts';
import { Report } from './report.tsx';

const MODES = ['create', 'upsert'] as const;

/** The name of a column that means nothing. */
const UNUSED = 'unused';

interface Work {
  readonly isChecking: boolean;
  /** How much of the file has been sent, from 0 to 1. */
  readonly sent: number;
}

/** Why something was not done, and what to do again, if anything. */
interface Fault {
  readonly text: string;
  readonly again?: () => void;
  /** Whether it may be done all the same. */
  readonly mayBeDone?: boolean;
}

/** Accounts from a file: what it would do, then the import, then the way back. */
export function Import() {
  const file = useSignal<ImportFile | undefined>(undefined);
  const mode = useSignal<(typeof MODES)[number]>('create');
  const names = useSignal<ReadonlyMap<number, string>>(new Map());
  const isPartial = useSignal(false);
  const work = useSignal<Work | undefined>(undefined);
  const fault = useSignal<Fault | undefined>(undefined);
  const plan = useSignal<ImportReport | undefined>(undefined);
  const done = useSignal<Imported | undefined>(undefined);
  // Kept while a file is checked again.
  const understood = useSignal<Understood>([]);
  useSignalEffect(() => {
    if (plan.value) understood.value = plan.value.columns ?? [];
  });
  const running = useRef<AbortController>(null);
  const key = useRef('');
  useEffect(() => () => running.current?.abort(), []);
  // What is chosen and mapped, and an import that is under way.
  useDraft(file.value !== undefined && done.value === undefined);

  const send = async (isChecking: boolean): Promise<Imported | undefined> => {
    if (!file.value) return undefined;
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    fault.value = undefined;
    work.value = { isChecking, sent: 0 };
    try {
      return await importAccounts(file.value.withNames(names.value), {
        type: file.value.type,
        query: {
          mode: mode.value,
          partial: `${isChecking || isPartial.value}`,
          ...(isChecking && { dryRun: 'true' }),
        },
        ...(!isChecking && { key: key.current }),
        signal: controller.signal,
        onProgress: (sent) => {
          if (!controller.signal.aborted) work.value = { isChecking, sent };
        },
      });
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      const report = error instanceof Problem && (error.details['report'] as ImportReport | undefined);
      if (report) plan.value = report;
      else if (isChecking) fault.value = { text: messageOf(error), again: check };
      else fault.value = { text: messageOf(error), again: run, mayBeDone: mayBeDone(error) };
      return undefined;
    } finally {
      if (running.current === controller) work.value = undefined;
    }
  };
  const check = async () => {
    plan.value = undefined;
    // Another import than the one before.
    key.current = crypto.randomUUID();
    plan.value = (await send(true))?.report ?? plan.value;
  };
  const choose = async (chosen: File | undefined) => {
    if (!chosen) return;
    names.value = new Map();
    understood.value = [];
    isPartial.value = false;
    plan.value = undefined;
    try {
      file.value = await importFile(chosen);
      fault.value = file.value ? undefined : { text: texts.unknownKind };
    } catch (error) {
      fault.value = { text: messageOf(error) };
    }
    if (file.value) await check();
  };
  const run = async () => {
    done.value = await send(false);
  };
  const stop = () => {
    running.current?.abort();
    work.value = undefined;
  };
  const restart = () => {
    file.value = undefined;
    plan.value = undefined;
    done.value = undefined;
    fault.value = undefined;
  };

  const writes = (plan.value?.wouldCreate ?? 0) + (plan.value?.wouldUpdate ?? 0);
  const failed = plan.value?.failed ?? 0;
  return (
    <section class="box" aria-labelledby="import-title">
      <header>
        <h2 id="import-title">{texts.import}</h2>
        {file.value && !work.value && (
          <button type="button" class="button small" onClick={restart}>
            {done.value ? texts.next : texts.another}
          </button>
        )}
      </header>
      <div class="inside stack">
        <p class="unseen" role="status">
          {plan.value && !work.value && !done.value && summaryOf(plan.value)}
        </p>
        {done.value ? (
          <Done done={done.value} />
        ) : (
          <>
            {file.value ? (
              <p class="row">
                <Icon name="file" />
                <strong>
                  <bdi>{file.value.name}</bdi>
                </strong>
                <span class="soft">{sizeText(file.value.size)}</span>
              </p>
            ) : (
              <Drop onFile={choose} />
            )}
            {file.value?.isWindows && <p class="note">{texts.windows}</p>}
            {file.value && (
              <fieldset class="choices sides" disabled={work.value?.isChecking === false}>
                <legend class="label">{texts.mode}</legend>
                {MODES.map((one) => (
                  <label key={one} class="choice">
                    <input
                      type="radio"
                      name="mode"
                      checked={mode.value === one}
                      onChange={() => {
                        mode.value = one;
                        check();
                      }}
                    />
                    <span>
                      {texts.modes[one][0]}
                      <span class="soft small-text">{texts.modes[one][1]}</span>
                    </span>
                  </label>
                ))}
              </fieldset>
            )}
            {file.value && file.value.columns.length > 0 && (
              <Columns
                columns={file.value.columns}
                understood={understood.value}
                ignored={plan.value?.ignoredColumns ?? []}
                names={names.value}
                onChange={(next) => {
                  names.value = next;
                  check();
                }}
              />
            )}
            {fault.value !== undefined && (
              <div class="stack" role="alert">
                <Refused text={fault.value.text} />
                {fault.value.mayBeDone && <p>{texts.mayBeDone}</p>}
                {fault.value.again && (
                  <p>
                    <button type="button" class="button" onClick={fault.value.again}>
                      {shared.states.retry}
                    </button>
                  </p>
                )}
              </div>
            )}
            {work.value && <Progress work={work.value} onStop={stop} />}
            {plan.value && !work.value && (
              <>
                <Report report={plan.value} />
                {failed > 0 && writes > 0 && (
                  <label class="row">
                    <input
                      type="checkbox"
                      checked={isPartial.value}
                      onChange={({ currentTarget }) => {
                        isPartial.value = currentTarget.checked;
                      }}
                    />
                    {texts.partial(failed, formatNumber(failed))}
                  </label>
                )}
                <p class="row">
                  {writes === 0 && failed === 0 ? (
                    texts.nothing
                  ) : (
                    <button
                      type="button"
                      class="button primary"
                      disabled={writes === 0 || (failed > 0 && !isPartial.value)}
                      onClick={run}
                    >
                      {texts.run(formatNumber(writes))}
                    </button>
                  )}
                </p>
              </>
            )}
          </>
        )}
      </div>
    </section>
  );
}

/** Where a file is dropped or chosen. */
function Drop({ onFile }: { onFile: (file: File | undefined) => void }) {
  const isOver = useSignal(false);
  const over = (is: boolean) => (event: DragEvent) => {
    event.preventDefault();
    isOver.value = is;
  };
  return (
    <label
      class={isOver.value ? 'drop over' : 'drop'}
      onDragOver={over(true)}
      onDragLeave={over(false)}
      onDrop={(event) => {
        over(false)(event);
        onFile(event.dataTransfer?.files[0]);
      }}
    >
      <Icon name="file" />
      <strong>{texts.drop}</strong>
      <span class="soft small-text">{texts.kinds}</span>
      <input
        type="file"
        class="unseen"
        accept=".csv,.tsv,.txt,.ndjson,.jsonl"
        onChange={({ currentTarget }) => onFile(currentTarget.files?.[0])}
      />
    </label>
  );
}

type Understood = NonNullable<ImportReport['columns']>;

/** What each column of the file becomes, by its name or as the reader wants it. */
function Columns({
  columns,
  understood,
  ignored,
  names,
  onChange,
}: {
  columns: readonly string[];
  understood: Understood;
  ignored: readonly string[];
  names: ReadonlyMap<number, string>;
  onChange: (names: ReadonlyMap<number, string>) => void;
}) {
  /** By its name: the field, `null` for none, `undefined` where that is not known. */
  const fieldOf = (number: number) =>
    understood[number]?.name === columns[number] ? understood[number]?.field : undefined;
  const isUsed = (number: number) =>
    names.has(number) ? names.get(number) !== '' : fieldOf(number) !== null;
  const used = columns.filter((_, number) => isUsed(number)).length;
  // What is no field of ours at all; an export of ours has some that are passed over.
  const isUnclear =
    ignored.length > 0 || (understood.length > 0 && !understood.some(({ field }) => field === 'email'));
  const isOpen = useRef(false);
  isOpen.current ||= isUnclear;
  return (
    <details open={isOpen.current}>
      <summary>{texts.columns(formatNumber(used), formatNumber(columns.length))}</summary>
      <p class="soft small-text">{texts.columnsHelp}</p>
      <ul class="lines columns">
        {columns.map((column, number) => (
          <li key={number} class={isUsed(number) ? '' : 'unused'}>
            <bdi>{column}</bdi>
            <Arrow />
            <Choice
              label={texts.meaning(column)}
              any={texts.automatic(meaningOf(fieldOf(number)))}
              options={{ ...texts.meanings, [UNUSED]: texts.unused }}
              value={names.get(number) === '' ? UNUSED : names.get(number)}
              onChoose={(name) => {
                const next = new Map(names);
                if (name === '') next.delete(number);
                else next.set(number, name === UNUSED ? '' : name);
                onChange(next);
              }}
            />
          </li>
        ))}
      </ul>
    </details>
  );
}

function meaningOf(field: string | null | undefined): string | undefined {
  if (field === null) return texts.unused;
  return field && texts.meanings[field as keyof typeof texts.meanings];
}

function Progress({ work: { isChecking, sent }, onStop }: { work: Work; onStop: () => void }) {
  const text = isChecking ? texts.checking : sent < 1 ? texts.sending : texts.importing;
  return (
    <div class="stack tight" role="status">
      <p class="row">
        {text}
        {/* Once all of it is there, the import can no longer be stopped. */}
        {(isChecking || sent < 1) && (
          <button type="button" class="button small" onClick={onStop}>
            {texts.cancel}
          </button>
        )}
      </p>
      <progress aria-label={text} {...(sent < 1 && { value: sent })} />
    </div>
  );
}

/** What was imported, and the way back. */
function Done({ done: { report, requestId } }: { done: Imported }) {
  const isUndone = useSignal(false);
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that had the focus is gone.
  useEffect(() => heading.current?.focus(), []);
  return (
    <>
      <h3 ref={heading} tabIndex={-1}>
        {isUndone.value ? texts.undone : texts.done}
      </h3>
      <Report report={report} isDone />
      {!isUndone.value && requestId !== null && report.created + report.updated > 0 && (
        <p>
          <button
            type="button"
            class="button"
            onClick={() =>
              askUndoRequest(requestId, () => {
                isUndone.value = true;
              })
            }
          >
            <Icon name="undo" />
            {texts.undo}
          </button>
        </p>
      )}
    </>
  );
}

/** A report for those who hear it. */
function summaryOf({ wouldCreate = 0, wouldUpdate = 0, unchanged, failed }: ImportReport): string {
  const numbers = { created: wouldCreate, updated: wouldUpdate, unchanged, failed };
  return (Object.keys(numbers) as (keyof typeof numbers)[])
    .map((name) => `${formatNumber(numbers[name])} ${texts.counts[name][0]}`)
    .join(', ');
}

function sizeText(bytes: number): string {
  const [unit, size] = bytes < 1e6 ? (['kilobyte', 1e3] as const) : (['megabyte', 1e6] as const);
  return new Intl.NumberFormat(undefined, { style: 'unit', unit, maximumFractionDigits: 1 }).format(
    bytes / size,
  );
}
