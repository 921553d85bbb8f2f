import { expect } from 'chai';
import { parseDatabaseUrl } from '../../config/database-url.ts';

describe('a database URL', () => {
  it('names Unix sockets and several hosts as libpq does', () => {
    expect(parseDatabaseUrl('postgres://u@/db?host=/run/postgresql&port=5433').hosts).to.deep.equal([
      { host: '/run/postgresql', port: 5433 },
    ]);
    expect(parseDatabaseUrl('postgres://u@a:1,[::1]:2,c/db').hosts).to.deep.equal([
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
      { host: 'c', port: undefined },
    ]);
  });

  for (const [parameters, message] of [
    ['sslmode=verify-ca', /sslrootcert/],
    ['sslmode=require&sslrootcert=system', /verify-full/],
    ['sslcert=/a.pem', /both sslcert and sslkey/],
    ['service=main', /not have the parameter service/],
    ['target_session_attrs=standby', /read-write/],
    ['schema=a.b', /without a comma or a dot/],
  ] as const) {
    it(`refuses ${parameters}`, () => {
      expect(() => parseDatabaseUrl(`postgres://u:very-secret@a/db?${parameters}`)).to.throw(message);
      expect(() => parseDatabaseUrl(`postgres://u:very-secret@a/db?${parameters}`)).not.to.throw(
        /very-secret/,
      );
    });
  }
});
