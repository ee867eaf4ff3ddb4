using System.CommandLine;
using Virtigo.Cli.Output;

namespace Virtigo.Cli;

/// <summary>One verb of the command, with examples for its help.</summary>
internal sealed class Verb : Command
{
    public Verb(string name, string description, params string[] examples)
        : base(name, description) => Examples = examples;

    /// <summary>Command lines and, after two spaces and <c>#</c>, what each does.</summary>
    public IReadOnlyList<string> Examples { get; }

    /// <summary>Sets what the verb does. What it throws is told and becomes the exit code.</summary>
    public void Does(GlobalOptions options, CliHost host, Func<Invocation, CancellationToken, Task<int>> action)
    {
        foreach (Argument argument in Arguments)
        {
            // Help would else have every completion in its place: all images, all names.
            argument.HelpName ??= argument.Name;
        }

        SetAction(async (result, cancellationToken) =>
        {
            OutputMode mode = options.Mode(result, host);
            try
            {
                return await action(new Invocation(result, options, host, mode), cancellationToken);
            }
            catch (Exception failure)
            {
                return ErrorRenderer.Write(failure, host, mode);
            }
        });
    }
}

/// <summary>One run of a verb.</summary>
internal sealed record Invocation(ParseResult Result, GlobalOptions Options, CliHost Host, OutputMode Mode)
{
    public T? Value<T>(Option<T> option) => Result.GetValue(option);

    public T? Value<T>(Argument<T> argument) => Result.GetValue(argument);

    public void Data(string line) => Host.Data.WriteLine(line);

    public void People(string line) => Host.People.WriteLine(line);
}
