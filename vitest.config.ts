import { defineConfig } from "vitest/config"

const conditions = ["@leat/source"]
const project = (name: string, include: Array<string>, more: { readonly globalSetup?: Array<string> } = {}) => ({
  extends: true as const,
  test: { name, include, ...more }
})
const withKafka = { globalSetup: ["./test/brokers/src/vitestSetup.ts"] }

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    reporters: ["default", "./tools/counting-reporter.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores: more workers only take turns, and tests that measure time would see it.
    maxWorkers: 2,
    projects: [
      project("leat", ["packages/leat/test/**/*.test.ts"]),
      project("log", ["packages/log/test/**/*.test.ts"]),
      project("kafka", ["packages/kafka/test/**/*.test.ts"]),
      project("kafkajs", ["packages/kafkajs/test/**/*.test.ts"], withKafka),
      project("protoc-gen-leat", ["packages/protoc-gen-leat/test/**/*.test.ts"]),
      project("cli", ["packages/cli/test/**/*.test.ts"]),
      project("demo", ["packages/demo/test/**/*.test.ts"]),
      project("confluent", ["packages/confluent/test/**/*.test.ts"], withKafka),
      project("brokers", ["test/brokers/test/**/*.test.ts"], withKafka),
      project("kafka-together", ["test/kafka/**/*.test.ts"], withKafka),
      project("repository", ["test/*.test.ts"])
    ]
  }
})
