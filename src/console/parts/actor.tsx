import { history } from '../texts/history.ts';
import { Name } from './name.tsx';

/** The author of a change in words: an email, a service token, a part of the service itself. */
export function actorText(name: string): string {
  const [, service] = /^service:(.*)$/s.exec(name) ?? [];
  if (service !== undefined) return `${service} (${history.service})`;
  if (/^erased-\d+$/.test(name)) return history.erasedActor;
  return history.actors[name] ?? name;
}

/** The author of a change. */
export function Actor({ name }: { name: string }) {
  return <Name text={actorText(name)} />;
}
