import { z } from 'zod';

/** A switch in a query: `true` or `false`, and off where it is not given. */
export const flag = (description: string) =>
  z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description });
