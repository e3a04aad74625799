import { defineConfig, type ViteUserConfig } from 'vitest/config';

const withServers = '**/*.{live,lab,node}.test.ts';
const inLab = process.env['MAILSEAL_LAB'] !== undefined;

/**
 * unit: no server. live: real servers; those of `*.lab.test.ts` have addresses of their own, which only a lab's
 * namespaces have room for. node: a Kubernetes node, inside a lab's namespaces.
 * Files of the latter two take turns: they share addresses, and a machine with two cores.
 */
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: [withServers], testTimeout: 60_000 } },
      {
        test: {
          name: 'live',
          include: inLab ? ['test/**/*.{live,lab}.test.ts'] : ['test/**/*.live.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'node',
          include: ['test/**/*.node.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

export default config;
