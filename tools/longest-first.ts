import { relative } from "node:path"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/**
 * Files that take fifteen seconds of a quiet machine and more, the longest first. In a fresh clone vitest knows no durations and begins with the
 * largest file: a short one that plays worlds for a minute came last, and one worker waited for the other.
 */
const longest: ReadonlyArray<string> = [
  "test/guide.test.ts",
  "packages/kafkajs/test/leaders.test.ts",
  "packages/log/test/smallVolume.test.ts",
  "packages/cli/test/move.test.ts",
  "packages/demo/test/move.test.ts",
  "packages/demo/test/resume.test.ts",
  "packages/log/test/corrupt/flips.test.ts",
  "packages/confluent/test/faults.test.ts",
  "packages/log/test/corrupt/pages.test.ts",
  "packages/log/test/stories.test.ts",
  "packages/cli/test/process.test.ts",
  "test/kafka/frozen.test.ts",
  "test/memory/memory.test.ts",
  "test/hostile/hostile.test.ts",
  "packages/leat/test/simulation/simulateWorlds.test.ts",
  "packages/leat/test/simulation/worlds.test.ts",
  "packages/leat/test/promise/stories.test.ts",
  "packages/leat/test/givenUp.test.ts",
  "packages/leat/test/moves/moveWorlds.test.ts",
  "packages/leat/test/simulation/liveDay.test.ts",
  "packages/leat/test/mutants/mutants.test.ts",
  "packages/leat/test/moves/Coordinator.test.ts",
  "packages/leat/test/publish/fallbackWorlds.test.ts"
]

const ranks = new Map(longest.map((file, index) => [file, index]))

export default class LongestFirst extends BaseSequencer {
  /** Files of one project stay together: workers that they share are started once. Projects with long files come first in their group. */
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification) =>
      ranks.get(relative(this.ctx.config.root, moduleId)) ?? longest.length
    // oxlint-disable-next-line unicorn/no-array-sort -- it is the sequencer's.
    const sorted = await super.sort(files)
    const projects = Array.from(Map.groupBy(sorted, ({ project }) => project).values(), (own) => {
      const specs = own.toSorted((one, other) => rank(one) - rank(other))
      const [first] = specs
      return {
        specs,
        group: first?.project.config.sequence.groupOrder ?? 0,
        rank: first === undefined ? longest.length : rank(first)
      }
    })
    return projects
      .toSorted((one, other) => one.group - other.group || one.rank - other.rank)
      .flatMap(({ specs }) => specs)
  }
}
