import { resolve } from 'node:path'
import test from 'brittle'
import {
  configOf,
  type EngineFlags,
  engineSettings,
  engineVariables,
  withEngineFlags,
} from '../../../config/flags.js'
import { loadConfig } from '../../../config/load-config.js'
import { createCommand, createWorkerCommand } from '../../../facilities/cli/command-line.js'

test('should take the flags that every command has when they are given', (t) => {
  const command = createCommand('worker', 'Works.')
  command.parse(['--home', 'here', '--log-level', 'error', '--json'], { from: 'user' })
  const config = configOf(command, { processor: { slots: 2 } })
  t.is(config.home, resolve('here'))
  t.is(config.logLevel, 'error')
  t.is(config.json, true)
  t.is(config.processor.slots, 2)
})

test('should serve metrics on the port that a worker is given, and nowhere else', async (t) => {
  const worker = createWorkerCommand('worker', 'Works.')
  worker.parse(['--metrics-port', '9464'], { from: 'user' })
  t.alike(configOf(worker).metrics, { port: 9464, host: '127.0.0.1' })
  const without = createWorkerCommand('worker', 'Works.')
  without.parse([], { from: 'user' })
  t.is(configOf(without).metrics.port, 0)
  const beyond = createWorkerCommand('worker', 'Works.')
  beyond.parse(['--metrics-port', '65536'], { from: 'user' })
  await t.exception(() => configOf(beyond), { code: 'CONFIG_INVALID' })
})

test('should take a flag of its parent when a command stands below another', (t) => {
  const parent = createCommand('client', 'Talks.')
  const child = createCommand('ask', 'Asks.').action(() => undefined)
  parent.addCommand(child)
  parent.parse(['--home', 'here', 'ask', '--json'], { from: 'user' })
  t.is(configOf(child).home, resolve('here'))
  t.is(configOf(child).json, true)
})

function parsed(...words: string[]): EngineFlags {
  return withEngineFlags(createCommand('test', 'x')).parse(words, { from: 'user' }).opts()
}

test('should set nothing when nothing is given', (t) => {
  t.alike(engineSettings(parsed()), { models: undefined, engines: undefined })
  t.alike(engineVariables(parsed()), {})
})

test('should take several models, one flag or many', (t) => {
  t.alike(parsed('--model', 'a', 'b').model, ['a', 'b'])
  t.alike(parsed('--model', 'a', '--model', 'b').model, ['a', 'b'])
  t.alike(engineSettings(parsed('--model', 'a')).engines, ['llama'])
})

test('should use a server that is named, behind models that are named', (t) => {
  const url = 'http://127.0.0.1:1'
  t.alike(engineSettings(parsed('--ollama-host', url)), {
    models: undefined,
    engines: ['ollama'],
    ollama: { url },
  })
  t.alike(engineSettings(parsed('--openai-url', url, '--model', 'a')).engines, ['llama', 'openai'])
  t.alike(engineSettings(parsed('--engine', 'llama', 'openai', '--openai-url', url)).engines, [
    'llama',
    'openai',
  ])
})

test('should say the same to another process, by its environment', (t) => {
  // A comma in an address is a part of it.
  const address = 'https://example.com/a,b.gguf?signature=x'
  const words = ['--model', address, '--model', '7', '--engine', 'llama', '--engine', 'openai']
  words.push('--ollama-host', 'http://127.0.0.1:1', '--openai-url', 'http://127.0.0.1:2')
  const flags = parsed(...words)
  const read = (environment: Record<string, string>) =>
    loadConfig({ environment, flags: {} }).processor
  t.alike(
    read(engineVariables(flags)),
    loadConfig({ environment: {}, flags: { processor: engineSettings(flags) } }).processor,
  )
  t.alike(read(engineVariables(parsed('--model', '7'))).models, ['7'])
})
