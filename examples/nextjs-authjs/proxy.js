import { NextResponse } from 'next/server';
import { ROLLCALL_URL } from './rollcall.js';

/** Rollcall under a path of this app, so that the browser sends its session there too. */
export function proxy({ nextUrl: { pathname, search } }) {
  return NextResponse.rewrite(new URL(pathname + search, ROLLCALL_URL));
}

export const config = { matcher: '/accounts/:path*' };
