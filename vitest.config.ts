import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{scripts,deploy,server,sdks/node,sdks/generator,cli,conformance,bench,examples}/**/*.test.ts'],
    // Two cores: more workers than that only make the timing of real-process tests noisier.
    maxWorkers: 2,
    // For what hangs: a busy machine may take ten times what a quiet one does.
    testTimeout: 60_000,
    // A busy machine may take longer than the second that is the default; below that of a test, to tell what was seen.
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 60_000,
  },
});
