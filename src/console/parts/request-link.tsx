import { history } from '../texts/history.ts';

/**
 * A link to everything that a request has changed. Shows the beginning of its id; the whole id on hover, on focus, in the timeline on
 * phones, on paper, and where it is copied.
 */
export function RequestLink({ id, href }: { id: string; href: string }) {
  return (
    <a class="request soft mono" dir="ltr" href={href} title={`${history.byRequest}\n${id}`}>
      <span class="unseen">{history.request} </span>
      {id}
    </a>
  );
}
