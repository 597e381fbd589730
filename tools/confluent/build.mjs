// The build of the addon from its sources, by npm. No dependencies.
import { spawnSync } from "node:child_process"

const buildMsMax = 1_800_000
const errorLinesMax = 10

/**
 * Builds the package; returns the whole output, and whether it went well. `zstd` is where its library is; `headers` those of Node.
 */
export function buildAddon({ name, root, npm, zstd, headers }) {
  // The root's package.json denies install scripts; without the flag npm says that it has rebuilt, and does nothing.
  const rebuild = [npm, "rebuild", name, "--dangerously-allow-all-scripts", "--foreground-scripts"]
  const env = buildEnvironment(process.env, { name, zstd, headers })
  const options = { cwd: root, env, encoding: "utf8", timeout: buildMsMax, maxBuffer: 1 << 28 }
  const { status, stdout, stderr } = spawnSync(process.execPath, rebuild, options)
  return { isBuilt: status === 0, log: `${stdout}${stderr}` }
}

export function buildEnvironment(own, { name, zstd, headers }) {
  const withZstd = zstd && {
    CPPFLAGS: joined(`-I${zstd.include}`, own.CPPFLAGS),
    LDFLAGS: joined(`-L${zstd.library}`, own.LDFLAGS)
  }
  return {
    ...own,
    ...withZstd,
    // Links what this machine has instead of fetching OpenSSL and others as sources.
    CKJS_LINKING: "dynamic",
    // The download has been tried.
    npm_config_build_from_source: name,
    // One job, whatever the environment says. The package's rules do not tell make that librdkafka needs the config.h which the step
    // before writes, so in a fresh clone two jobs end with `No rule to make target`. librdkafka itself is built by jobs of its own.
    JOBS: "1",
    MAKEFLAGS: "",
    ...(headers === undefined ? {} : { npm_config_nodedir: headers })
  }
}

/** Errors of compilers, linkers, make and the system; not each line with the word, because a test for `strerror_r` is none. */
const isError =
  /\berror:|\*\*\* |undefined reference|cannot find -l|No space left|Cannot allocate memory|Killed|command not found|Permission denied/
/** Comes after each error, and tells of none. */
const isEcho = /\*\*\* (Waiting for unfinished jobs|\[.*Error \d+$)|^npm error/

/** The lines of a failed build that say why; the last ones if none does. */
export function errorLines(log) {
  const lines = log.trimEnd().split("\n")
  const errors = lines.filter((line) => isError.test(line) && !isEcho.test(line))
  return errors.length > 0 ? errors.slice(0, errorLinesMax) : lines.slice(-2 * errorLinesMax)
}

function joined(first, second) {
  return second === undefined || second === "" ? first : `${first} ${second}`
}
