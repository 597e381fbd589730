import type { LoginFailure } from "../../gen/risk/v1/log.ts"

/** Characters of a message in which a failed log-in is looked for: the patterns look at each place more than once. */
const lookedAt = 1024

/** A failed log-in, as sshd and pam_unix report it. */
export function loginFailure(message: string): LoginFailure | undefined {
  const start = message.length > lookedAt ? message.slice(0, lookedAt) : message
  const sshd = /Failed password for (?:invalid user )?(.{0,256}?) from (\S{1,256}) port \d/.exec(start)
  if (sshd !== null) return { user: sshd[1] ?? "", sourceAddress: sshd[2] ?? "" }
  const pam = /authentication failure;.{0,512}\brhost=(\S{1,256})(?: {1,8}user=(\S{1,256}))?/.exec(start)
  return pam === null ? undefined : { user: pam[2] ?? "", sourceAddress: pam[1] ?? "" }
}
