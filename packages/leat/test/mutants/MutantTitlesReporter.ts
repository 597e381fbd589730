import { fileURLToPath } from "node:url"
import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node"
import { mutants } from "./mutants.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

/** By the file that has to find them. */
const mutantsOf = Map.groupBy(mutants, ({ foundBy }) => `${root}${foundBy}`)

/**
 * Looks whether each mutant names a test that its file has: one that it does not have finds nothing, which is seen else only when that mutant
 * is tried. Here, because only a run knows the names of tests that are made of tables. What is wrong is told as an error of the run.
 */
export default class MutantTitlesReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestModuleEnd(module: TestModule): void {
    const vitest = this.#vitest
    // A run of some tests of a file, and one with a mutant in it, do not know the others.
    if (vitest === undefined || vitest.config.testNamePattern !== undefined || module.state() === "failed") return
    const names = [...module.children.allTests()].map(nameOf)
    for (const { name, test } of mutantsOf.get(module.moduleId) ?? [])
      if (test !== undefined && !names.some((one) => one.includes(test)))
        vitest.state.catchError(
          new Error(`the mutant "${name}" is to be found by a test "${test}", which ${module.moduleId} does not have`),
          "Mutant without a test"
        )
  }
}

/** As `-t` compares it. */
function nameOf(test: TestCase): string {
  const { parent } = test
  return parent.type === "module" ? test.name : `${nameOfSuite(parent)} ${test.name}`
}

function nameOfSuite(suite: Extract<TestCase["parent"], { type: "suite" }>): string {
  return suite.parent.type === "module" ? suite.name : `${nameOfSuite(suite.parent)} ${suite.name}`
}
