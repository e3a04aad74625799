import { defineConfig, type ViteUserConfig } from 'vitest/config';

const lab = '**/*.{live,node}.test.ts';

/**
 * unit: no server. live: real servers on this machine, root or not. node: a Kubernetes node, inside a lab's namespaces.
 * Files of the latter two take turns: they share addresses, and a machine with two cores.
 */
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: [lab] } },
      {
        test: {
          name: 'live',
          include: ['test/**/*.live.test.ts'],
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
