#!/usr/bin/env node
import type { Command } from 'commander'
import { configOf, createCommand, runCommand } from '../config/command-line.js'
import { chat } from './client/chat.js'
import { askOnce, login, register, status } from './client/commands.js'
import { type ClientTools, runClient } from './client/run-client.js'

const MODEL = ['--model <name>', 'the model that answers'] as const
const EMAIL = ['--email <email>', 'the e-mail address of the account'] as const
const PASSWORD = ['--password-stdin', 'take the password from standard input'] as const

const client = createCommand('client', 'Talks to the mesh. Without a command: a chat.')
const commands = {
  register: createCommand('register', 'Makes an account and logs in.'),
  login: createCommand('login', 'Opens a session.'),
  ask: createCommand('ask', 'Asks one question and streams the answer.'),
  status: createCommand('status', 'Says which workers are there.'),
}
for (const command of Object.values(commands)) client.addCommand(command)
run(client.option(...MODEL), chat)
run(commands.register.requiredOption(...EMAIL).option(...PASSWORD), register)
run(commands.login.requiredOption(...EMAIL).option(...PASSWORD), login)
run(commands.ask.argument('<text>', 'the question').option(...MODEL), askOnce)
run(commands.status, status)
await runCommand(client)

/** Makes `action` what a command does: it gets the command's flags and its arguments. */
function run<Flags extends object>(
  command: Command,
  action: (tools: ClientTools, flags: Flags, parameters: readonly string[]) => Promise<void>,
): void {
  command.action(() =>
    runClient(configOf(command), (tools) =>
      action(tools, command.optsWithGlobals<Flags>(), command.args),
    ),
  )
}
