import type { Reporter, TestModule } from "vitest/node"

/** Prints `N passed, N failed` as the last line of the process: real test cases, and files that did not load. */
export default class CountingReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      let failedHere = 0
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed++
        else if (state === "failed") failedHere++
      }
      // A file that did not load, or whose hooks failed, has no failed test of its own.
      failed += module.state() === "failed" ? Math.max(1, failedHere) : failedHere
    }
    process.once("exit", () => {
      process.stdout.write(`${passed} passed, ${failed} failed\n`)
      if (failed > 0 || passed === 0) process.exitCode = 1
    })
  }
}
