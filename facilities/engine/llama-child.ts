import { LlamaChildSession } from './llama-child-session.js'

// The process in which llama.cpp runs. LlamaEngine starts it and speaks to it over IPC.
new LlamaChildSession(process).listen()
