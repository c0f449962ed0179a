"""The SIPp language: model, reader, writer, keywords, actions, injection files, built-ins."""
