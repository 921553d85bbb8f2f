import { z } from 'zod';

/** A whole number in a query, within bounds of at most nine digits. */
export const wholeNumber = ({
  min,
  max,
  ...meta
}: {
  min: number;
  max: number;
  default: number;
  description?: string;
}) =>
  z
    .string()
    .refine(
      (digits) => /^\d{1,9}$/.test(digits) && Number(digits) >= min && Number(digits) <= max,
      `Must be a whole number from ${min} to ${max}.`,
    )
    .transform(Number)
    .default(meta.default)
    .meta({ override: { type: 'integer', minimum: min, maximum: max, ...meta } });
