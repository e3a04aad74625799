/** How a changed certificate reaches the mail servers, as a MailExchanger and the `spec.mx` of a MailDomain have it. */
import type { ObjectSchema } from './schema.ts';
import type { DeliverySpec } from './types.ts';

export const delivery: ObjectSchema<DeliverySpec> = {
  type: 'object',
  description: 'How the MX hosts come to a certificate that has changed in the Secret.',
  properties: {
    restart: {
      type: 'array',
      description:
        'Workloads in this namespace whose mail servers read the certificate only when they start. Their pods are ' +
        'restarted, each workload in its own way, after the Secret has got another certificate. The operator needs a ' +
        'right for it: `workloadRestarts.enabled` of the chart.',
      list: { keys: ['kind', 'name'] },
      maxItems: 8,
      items: {
        type: 'object',
        description: 'A workload.',
        properties: {
          kind: {
            type: 'string',
            description: 'Its kind, of apps/v1.',
            maxLength: 16,
            enum: {
              Deployment: 'Its strategy says how many pods are restarted at a time.',
              StatefulSet: 'Its pods are restarted one after another, the last one first.',
              DaemonSet: 'Its pods are restarted node by node.',
            },
            required: true,
          },
          name: {
            type: 'string',
            description: 'Its metadata.name.',
            format: 'objectName',
            maxLength: 253,
            required: true,
          },
        },
      },
    },
  },
};
