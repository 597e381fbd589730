/** The oldest Node that leat runs on, for whoever starts it with another: npm only warns of `engines`, and much works until something is missing. */

const needed = { major: 22, minor: 22 }

/** What is wrong with a version of Node; undefined when nothing is, or it is not known: other runtimes say which Node they stand for, or none. */
export function nodeFault(version: string | undefined): string | undefined {
  const [major = Number.NaN, minor = Number.NaN] = (version ?? "").split(".").map(Number)
  if (Number.isNaN(major) || Number.isNaN(minor)) return undefined
  if (major > needed.major || (major === needed.major && minor >= needed.minor)) return undefined
  return `leat needs Node ${needed.major}.${needed.minor} or newer, and this is Node ${version}`
}
