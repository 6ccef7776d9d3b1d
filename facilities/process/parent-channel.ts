import { z } from 'zod'

/** What a worker reports to its parent process. */
export const parentMessageSchema = z.discriminatedUnion('kind', [
  /** The worker serves. */
  z.strictObject({ kind: z.literal('ready') }),
  /** The progress of a long task. */
  z.strictObject({
    kind: z.literal('progress'),
    /** For the user: `converting`. */
    activity: z.string().max(200),
    fraction: z.number().min(0).max(1),
  }),
  /** For the user. */
  z.strictObject({ kind: z.literal('notice'), text: z.string().max(2000) }),
  /** The worker cannot start. */
  z.strictObject({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
])

export type ParentMessage = z.infer<typeof parentMessageSchema>

/** What a client receives from its parent process. */
const childMessageSchema = z.strictObject({
  /** A notice for the user. */
  kind: z.literal('notice'),
  text: z.string().max(2000),
})

export type ChildMessage = z.infer<typeof childMessageSchema>

/** Calls `onNotice` with each notice of the parent process, if there is a channel to it. */
export function onParentNotice(onNotice: (text: string) => void): void {
  if (process.send === undefined) return
  process.on('message', (raw) => {
    const { data: message } = childMessageSchema.safeParse(raw)
    if (message !== undefined) onNotice(message.text)
  })
}

/** Sends a message to the parent process, if there is a channel to it. */
export function tellParent(message: ParentMessage): void {
  // With a callback, a parent that has just ended causes no error here.
  process.send?.(message, undefined, undefined, () => undefined)
}

/** Calls `onGone` when the parent process has ended for any reason, if there is a channel to it. */
export function whenParentGone(
  onGone: () => void,
  thisProcess: Pick<NodeJS.Process, 'send' | 'once' | 'connected'> = process,
): void {
  if (thisProcess.send === undefined) return
  thisProcess.once('disconnect', onGone)
  // It may have ended while this process was still loading its code.
  if (!thisProcess.connected) onGone()
}
