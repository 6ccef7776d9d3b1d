import type { ForkOptions } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import type { ChildProcess, Fork } from '../../../facilities/process/child-process.js'

/**
 * Replaces a child process: a test emits its messages and its exit, and reads what it was sent.
 * It ignores signals; a test ends it with {@link exit}.
 */
export class ChildStandIn extends EventEmitter implements ChildProcess {
  pid: number | undefined = 4711
  readonly stdin = new PassThrough()
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  /** The messages from its parent, as a real channel would deliver them. Each also emits `received`. */
  readonly received: unknown[] = []
  /** The signals that its parent sent. */
  readonly signals: string[] = []
  /** The arguments that it was started with. */
  forked: { modulePath: string; args: readonly string[]; options: ForkOptions } | null = null
  connected = true

  /** Starts this child; pass it where `fork` is expected. */
  readonly fork: Fork = (modulePath, args, options) => {
    this.forked = { modulePath, args, options }
    return this
  }

  send(message: object, onSent: (error: Error | null) => void): void {
    this.received.push(JSON.parse(JSON.stringify(message)))
    onSent(null)
    this.emit('received', this.received.at(-1))
  }

  kill(signal: string): void {
    this.signals.push(signal)
  }

  /** Sends a message to its parent. */
  say(message: unknown): void {
    this.emit('message', JSON.parse(JSON.stringify(message)))
  }

  /** Ends it. @param how its exit code, or the signal that ended it */
  exit(how: number | NodeJS.Signals): void {
    this.connected = false
    this.stdout.end()
    this.stderr.end()
    if (typeof how === 'number') this.emit('exit', how, null)
    else this.emit('exit', null, how)
  }
}
