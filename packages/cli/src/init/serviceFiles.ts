import { contractPath, type ServiceNames } from "./ServiceNames.ts"
import { consumer, publisher, routes, serviceTest, testRunner } from "./serviceCode.ts"

/** Versions that a new service is made for. */
export interface Versions {
  readonly leat: string
  readonly effect: string
  readonly typescript: string
  readonly vitest: string
  readonly nodeTypes: string
}

/** The files of a new service, by path, less what is generated. */
export function serviceFiles(names: ServiceNames, versions: Versions): ReadonlyMap<string, string> {
  const files: ReadonlyArray<readonly [string, string]> = [
    ["package.json", `${JSON.stringify(manifest(names, versions), null, 2)}\n`],
    ["tsconfig.json", `${JSON.stringify(compilerOptions, null, 2)}\n`],
    [`proto/${contractPath(names)}.proto`, proto(names)],
    ["routes.yaml", routes],
    ["src/publisher.ts", publisher(names)],
    ["src/consumer.ts", consumer(names)],
    ["test/items.test.ts", serviceTest(names)],
    ["README.md", readme(names)],
    [".gitignore", "node_modules/\ndata/\n"]
  ]
  return new Map(files)
}

function manifest({ name }: ServiceNames, { leat, effect, typescript, vitest, nodeTypes }: Versions) {
  return {
    name,
    version: "0.1.0",
    private: true,
    type: "module",
    scripts: {
      generate: "leat contracts gen --import-extension ts",
      start: "node src/publisher.ts",
      consume: "node src/consumer.ts",
      check: "tsc --noEmit",
      test: `${testRunner} run`
    },
    dependencies: { "@leat/log": leat, effect, leat },
    devDependencies: { "@leat/cli": leat, "@types/node": nodeTypes, typescript, [testRunner]: vitest },
    engines: { node: ">=22.22" }
  }
}

const compilerOptions = {
  compilerOptions: {
    target: "ES2024",
    lib: ["ES2024", "ESNext.Disposable"],
    module: "NodeNext",
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true
  },
  include: ["src", "test"]
}

function proto({ word }: ServiceNames): string {
  return `syntax = "proto3";

package ${word}.v1;

import "leat/v1/event.proto";

// The stock of an item has changed.
message ItemChanged {
  option (leat.v1.event) = {
    stream: "${word}.items.changed"
    key: "item_id"
    needs: NEED_ORDER
  };

  string item_id = 1;
  int64 stock = 2;
  // Who changed it.
  string changed_by = 3 [(leat.v1.personal) = true];
}
`
}

function readme({ name, word }: ServiceNames): string {
  return `# ${name}

Publishes and consumes events of the stream \`${word}.items.changed\`, through leat, on a log in \`data/\`.

\`\`\`console
npm install
npm start         # publishes ten events
npm run consume   # prints them, and goes on until interrupted
npm test          # the same in memory
\`\`\`

The contract is \`proto/${word}/v1/item.proto\`; after a change, \`npm run generate\`, and \`npx leat contracts check --against main\` says whether
consumers can still read it. Where events go is in \`routes.yaml\`. What is in the log: \`npx leat events list\`, \`npx leat events tail\`, \`npx leat lag\`.

To Kafka instead: \`npm install @leat/kafkajs\`, import \`kafkajs\` of it in \`src/\` and give it to \`open\` (\`drivers: [log, kafkajs]\`), and in \`routes.yaml\` the cluster
\`{ transport: "@leat/kafkajs", brokers: "HOST:9092", topic: { partitions: 4 } }\`.
`
}
