import { z } from 'zod';
import type { oas31, ZodOpenApiOperationObject, ZodOpenApiPathsObject } from 'zod-openapi';
import { ACTIONS } from '../../domain/change.ts';
import { TEST_TYPE } from '../../services/webhooks/trial.ts';
import { CHANGE_EXAMPLES, change } from '../schemas/change.ts';
import { componentOf } from './headers.ts';

/** The tag of the messages: of its own, since generators make a file for each tag, and messages are no calls. */
export const MESSAGES_TAG = 'Webhook messages';

const HEADERS = {
  'webhook-id': {
    description: "The message's id: the same at each attempt, so that a receiver can drop duplicates.",
    example: 'change_7_b34f07b13623bc65',
  },
  'webhook-timestamp': {
    description: 'When it was signed, in seconds since 1970.',
    example: '1769934600',
  },
  'webhook-signature': {
    description:
      'Signatures by the Standard Webhooks specification, separated by blanks; one has to be good.',
    example: 'v1,fhydwXlXfEqbTgfITVMQZH31dKSPdQkuJCpYBBcLvVU=',
  },
};

/** The headers of each message, by the name of their component: some generators know those in webhooks only by reference. */
export const messageParameters: Record<string, oas31.ParameterObject> = Object.fromEntries(
  Object.entries(HEADERS).map(([name, described]) => [
    componentOf(name),
    { name, in: 'header', required: true, ...described, schema: { type: 'string' } },
  ]),
);

/** The messages that receivers are sent, by their `type`. A test compares them with those that are sent. */
export function webhooks(): ZodOpenApiPathsObject {
  const operation = (
    type: string,
    id: string,
    summary: string,
    description: string,
    data: z.ZodType,
    example: object,
  ): ZodOpenApiOperationObject => ({
    operationId: `on${id}`,
    summary,
    description,
    tags: [MESSAGES_TAG],
    security: [],
    parameters: Object.keys(messageParameters).map((name) => ({
      $ref: `#/components/parameters/${name}`,
    })),
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: z.strictObject({ type: z.literal(type), timestamp: z.iso.datetime(), data }).meta({
            id,
            examples: [{ type, timestamp: '2026-02-01T08:30:00.000Z', data: example }],
          }),
        },
      },
    },
    responses: {
      '2XX': { description: 'Delivered: the next change follows.' },
      410: { description: 'Not wanted any more: the webhook is parked.' },
      default: { description: 'Not delivered: tried again later, before any later change.' },
    },
  });
  const messages = ACTIONS.map((action) => {
    const type = `account.${action}`;
    const id = `Account${action.charAt(0).toUpperCase()}${action.slice(1)}`;
    const description =
      'Sent for each change of an account that passes the filters of the webhook, in order, at least once.';
    return [
      type,
      { post: operation(type, id, `An account is ${action}`, description, change, CHANGE_EXAMPLES[action]) },
    ];
  });
  const test = operation(
    TEST_TYPE,
    'WebhookTest',
    'A test',
    'Sent when an admin asks for it, and changes nothing.',
    z.strictObject({ webhook: z.string().meta({ description: 'The name of the webhook.' }) }),
    { webhook: 'crm.example.com' },
  );
  return { ...Object.fromEntries(messages), [TEST_TYPE]: { post: test } };
}
