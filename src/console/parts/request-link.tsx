import { history } from '../texts/history.ts';

/** The way to everything that a request has changed. What does not fit of its id is there on hover, on paper, and where it is copied. */
export function RequestLink({ id, href }: { id: string; href: string }) {
  return (
    <a class="request soft mono" dir="ltr" href={href} title={`${history.byRequest}\n${id}`}>
      <span class="unseen">{history.request} </span>
      {id}
    </a>
  );
}
