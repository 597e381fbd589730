import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** Stryker works on a copy of the sources: `leat` is that copy, and not what node_modules links to. */
const source = (path: string) => fileURLToPath(new URL(`../packages/leat/src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^leat$/, replacement: source("index.ts") },
      { find: "leat/contract", replacement: source("contract/Contract.ts") },
      { find: "leat/codec", replacement: source("codec/index.ts") },
      { find: "leat/promise", replacement: source("promise/index.ts") },
      { find: "leat/testing", replacement: source("testing/index.ts") },
      { find: "leat/transport", replacement: source("transport/index.ts") }
    ]
  },
  test: {
    // What is fast and looks at the machines alone.
    include: [
      "packages/leat/test/Policy.test.ts",
      "packages/leat/test/publish/WriteLane.test.ts",
      "packages/leat/test/publish/WritePartition.test.ts",
      "packages/leat/test/publish/writeModel.test.ts",
      "packages/leat/test/consume/ReadLane.test.ts",
      "packages/leat/test/consume/readModel.test.ts",
      "packages/leat/test/consume/longLanes.test.ts",
      "packages/leat/test/transport/HeldLane.test.ts",
      "packages/leat/test/simulation/machines.test.ts"
    ],
    fsModuleCache: false,
    testTimeout: 120_000,
    env: { LEAT_RUNS: "200" }
  }
})
