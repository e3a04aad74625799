import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createControllers } from '../../src/reconcile/controllers.ts';
import { chart } from './rendered.ts';

const metrics = createMetrics();
const controllers = createControllers(
  metrics,
  createLog(() => undefined),
  () => ({ domain: [], exchanger: [], retirement: [], provider: [], issuer: [] }),
);
const template = readFileSync(join(chart, 'templates/monitoring.yaml'), 'utf8');
const expressions = [...template.matchAll(/^ +expr: (.+)$/gmu)].map(([, expression = '']) => expression);

test.each(expressions)('the alert on %s asks for metrics that the operator has', async (expression) => {
  const names = [...expression.matchAll(/\b[a-z]+(?:_[a-z]+)+\b/gu)].map(([name]) => name);
  expect(names.length).toBeGreaterThan(0);
  const known = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
  expect(known).toEqual(expect.arrayContaining(names));
});

test('the alert on reconcile errors names the controllers as their metrics do', () => {
  const [, named = ''] = /controller=~"([^"]+)"/u.exec(template) ?? [];
  expect(named.split('|').sort()).toEqual(Object.keys(controllers.depths()).sort());
});

test('there is an alert on objects that do not become Ready', () => {
  expect(expressions).toContainEqual(expect.stringContaining('mailseal_objects{ready!="True"}'));
});
