import { domainToASCII, domainToUnicode } from 'node:url';
import { Migration } from '@mikro-orm/migrations';

/** How many accounts are converted at once. */
const BATCH_SIZE = 1_000;

// A domain in ASCII that stands for one in another script, or one in another script, which may have had another form.
const CANDIDATE = String.raw`(email ~ '@.*[^\x01-\x7f]' or email like '%@%xn--%')`;

// Like every change of an account: recorded, at the feed's end, and told.
const RENAME = `
  with given as (
    select id, email from jsonb_to_recordset(?::jsonb) as given (id int, email text)
  ), before as (
    select users.id, users.email, given.email as renamed from users join given using (id)
  ), renamed as (
    update users set email = before.renamed, version = version + 1,
                     updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
      from before where users.id = before.id
    returning users.id, before.email, before.renamed, users.version, users.updated_at
  ), written as (
    insert into changes (transaction_id, at, actor, user_id, action, before, after, fields, version)
    select greatest(
             (pg_current_xact_id()::text::bigint + coalesce((select max(shift) from feed_shifts), 0))::text::xid8,
             (select transaction_id from changes where user_id = renamed.id order by at desc, id desc limit 1)),
           updated_at, 'boot', id, 'updated', jsonb_build_object('email', email),
           jsonb_build_object('email', renamed), array['email'], version
      from renamed order by id
    returning id, at
  )
  insert into change_fields (field, action, at, change_id) select 'email', 'updated', at, id from written`;

/**
 * An email has its domain as people read it: `boss@xn--mller-kva.example` becomes `boss@müller.example`, which may not exist
 * twice. Where another account has that email already, both stay, and the log names them: an admin decides.
 */
export class Migration20261129000020_email_domains extends Migration {
  override async up(): Promise<void> {
    let after = 0;
    for (;;) {
      const rows = await this.execute(
        `select id, email from users where id > ? and ${CANDIDATE} order by id limit ${BATCH_SIZE}`,
        [after],
      );
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last['id'];
      await this.#rename(rows as unknown as Row[]);
    }
    await this.#convert('refused_sign_ins', 'email');
    await this.#convert('service_tokens', 'created_by');
    await this.#convert('service_tokens', 'revoked_by');
    await this.execute(`select pg_notify('rollcall_changes', '')`);
  }

  override down(): void {
    // The former form says the same.
  }

  async #rename(rows: readonly Row[]): Promise<void> {
    const renamed = rows.flatMap(({ id, email }) => {
      const canonical = canonicalForm(email);
      return canonical === email ? [] : [{ id, email: canonical, was: email }];
    });
    if (renamed.length === 0) return;
    const emails = JSON.stringify(renamed.map(({ email }) => email));
    const taken: Row[] = (await this.execute(
      `select id, email from users where email in (select jsonb_array_elements_text(?::jsonb))`,
      [emails],
    )) as unknown as Row[];
    const owners = new Map(taken.map(({ id, email }) => [email, id]));
    const free = renamed.filter(({ email }) => !owners.has(email));
    await this.execute(RENAME, [JSON.stringify(free.map(({ id, email }) => ({ id, email })))]);
    for (const { id, email, was } of renamed.filter(({ email }) => owners.has(email))) {
      this.config
        .getLogger()
        .warn(
          'migrator',
          `account ${id} (${was}) has the email of account ${owners.get(email)} (${email}) in another form; sign-ins find ${owners.get(email)}; delete one of them or give it another email`,
        );
    }
  }

  /** Converts emails of a table that has no history. Where an email has an entry already, the older form loses its own. */
  async #convert(table: string, column: string): Promise<void> {
    const rows = (await this.execute(
      `select distinct ${column} as email from ${table} where ${CANDIDATE.replaceAll('email', column)}`,
    )) as unknown as Row[];
    for (const { email } of rows) {
      const canonical = canonicalForm(email);
      if (canonical === email) continue;
      if (table === 'refused_sign_ins') {
        await this.execute(
          `delete from refused_sign_ins as old where email = ?
             and exists (select from refused_sign_ins where email = ? and reason = old.reason)`,
          [email, canonical],
        );
      }
      await this.execute(`update ${table} set ${column} = ? where ${column} = ?`, [canonical, email]);
    }
  }
}

interface Row {
  readonly id: number;
  readonly email: string;
}

const LABEL = /^[\p{L}\p{M}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?$/u;

/** The email with each label of its domain in its own script, where that form is the only one and can be seen (UTS 46). */
function canonicalForm(email: string): string {
  const at = email.lastIndexOf('@') + 1;
  const ascii = /[\s\p{Cc}/?#\\%:]/u.test(email.slice(at)) ? '' : domainToASCII(email.slice(at));
  return ascii === '' ? email : email.slice(0, at) + ascii.split('.').map(readable).join('.');
}

function readable(ascii: string): string {
  const label = ascii.startsWith('xn--') ? domainToUnicode(ascii) : '';
  const isStable = label.normalize('NFKC').toLowerCase().normalize('NFKC') === label;
  return LABEL.test(label) && !/\p{Default_Ignorable_Code_Point}/u.test(label) && isStable ? label : ascii;
}
