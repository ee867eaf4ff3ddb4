using Virtigo.Cli;

return await CommandLine.RunAsync(args, CliHost.OfProcess());
