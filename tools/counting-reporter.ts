import type { Reporter, TestModule } from "vitest/node"

/** Prints `N passed, N failed` as the last line of the process: real test cases, and files that did not load. */
export default class CountingReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      let cases = 0
      for (const test of module.children.allTests()) {
        cases++
        const { state } = test.result()
        if (state === "passed") passed++
        else if (state === "failed") failed++
      }
      if (cases === 0 && module.state() === "failed") failed++
    }
    process.once("exit", () => {
      process.stdout.write(`${passed} passed, ${failed} failed\n`)
      if (failed > 0 || passed === 0) process.exitCode = 1
    })
  }
}
