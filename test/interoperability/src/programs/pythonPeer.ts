import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { installed, orMissing, type Program, type ProgramMissing, runTool } from "./Program.ts"

const requirements = ["confluent-kafka==2.16.1", "protobuf==7.36.2"]
const peer = fileURLToPath(new URL("../../foreign/peer.py", import.meta.url))

/** `peer.py` under the Python of the PATH, with its two libraries in `cache`. */
export const findPythonPeer = (cache: string): Promise<Program | ProgramMissing> =>
  orMissing("install Python 3.10 or newer with pip", async () => {
    // Libraries with native code fit one version of Python on one platform.
    const script = "import sys, sysconfig; print(sys.implementation.cache_tag + '-' + sysconfig.get_platform())"
    const python = (await runTool("python3", ["-c", script])).trim()
    const folder = await installed(join(cache, ["python", python, ...requirements].join("-")), (building) => {
      const quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
      return runTool("python3", [
        "-m",
        "pip",
        "install",
        ...quiet,
        "--only-binary=:all:",
        "--target",
        building,
        ...requirements
      ])
    })
    return { command: "python3", args: [peer], environment: { PYTHONPATH: folder } }
  })
