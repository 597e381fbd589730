import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Runs a script of the tests in a process of its own, which it may bring down. It is killed at its deadline. */
export function runScript(
  path: string,
  parameters: ReadonlyArray<string>,
  deadlineMs: number
): Promise<{ readonly code: number | string; readonly output: string }> {
  const script = fileURLToPath(new URL(`../${path}`, import.meta.url))
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--conditions=@leat/source", script, ...parameters],
      { timeout: deadlineMs, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : (error.code ?? error.signal ?? "killed")
        resolve({ code, output: code === 0 ? stdout : stdout + stderr })
      }
    )
  })
}
