import type { Command } from 'commander'
import { createCommand } from '../../facilities/cli/command-line.js'
import { login, logout, register, whoami } from './account-commands.js'
import { chat } from './chat.js'
import type { ChatRequest } from './chat-request.js'
import { withGenerationFlags } from './generation-flags.js'
import { readAskPrompt } from './input/ask-prompt.js'
import { models } from './models.js'
import {
  type ClientAction,
  type ClientSettings,
  type ClientTools,
  type OfflineTools,
  runClient,
  runOffline,
} from './run-client.js'
import { status } from './status.js'
import { streamAnswer } from './stream-answer.js'

const MODEL = ['--model <name>', 'the model that answers'] as const
const EMAIL = ['--email <email>', 'the e-mail address of the account'] as const
const PASSWORD = ['--password-stdin', 'read the password from standard input'] as const

/**
 * Adds the subcommands of the client. Without a subcommand it starts a chat.
 *
 * @param settingsOf reads the configuration, which only the entry may do
 */
export function addClientCommands(
  client: Command,
  settingsOf: (command: Command) => ClientSettings,
): void {
  const add = (name: string, description: string) => {
    const command = createCommand(name, description)
    client.addCommand(command)
    return command
  }
  /** Sets the action of a command. It gets the command's flags and arguments. */
  const online = <Flags extends object>(
    command: Command,
    action: ClientAction<ClientTools, Flags>,
  ) =>
    command.action(() =>
      runClient(
        settingsOf(command),
        (tools) => action(tools, command.optsWithGlobals<Flags>(), command.args),
        async () => undefined,
      ),
    )
  /** Sets the action of a command that needs no mesh. */
  const offline = (command: Command, action: ClientAction<OfflineTools, object>) =>
    command.action(() =>
      runOffline(settingsOf(command), (tools) => action(tools, {}, command.args)),
    )

  online(withGenerationFlags(client.option(...MODEL)), chat)
  online(
    add('register', 'Creates an account and logs in.')
      .requiredOption(...EMAIL)
      .option(...PASSWORD),
    register,
  )
  online(
    add('login', 'Opens a session.')
      .requiredOption(...EMAIL)
      .option(...PASSWORD),
    login,
  )
  online(add('whoami', 'Shows the user that is logged in, verified by the mesh.'), whoami)
  offline(add('logout', 'Removes the session of this home.'), logout)
  const ask = withGenerationFlags(
    add('ask', 'Sends one prompt and streams the answer.')
      .argument('[text...]', 'the prompt; - reads it from standard input; piped input is appended')
      .option(...MODEL),
  )
  ask.action(() =>
    runClient<ChatRequest>(
      settingsOf(ask),
      async (tools, request) => void (await streamAnswer(tools, request)),
      (tools) => readAskPrompt(tools, ask.optsWithGlobals(), ask.args),
    ),
  )
  online(add('models', 'Lists the available models.'), models)
  online(add('status', 'Shows which workers run, and why others do not.'), status)
}
