import { z } from 'zod';

/** A path with `:id`: a number of PostgreSQL's type `integer`. */
export const idParams = z.object({
  id: z
    .string()
    .regex(/^\d{1,10}$/)
    .transform(Number)
    .refine((id) => id > 0 && id <= 2 ** 31 - 1)
    .meta({ description: 'A number.', examples: ['1'] }),
});
