using System.Text.Json;
using Virtigo.Host;

namespace Virtigo.Cli.Output;

/// <summary>Tells a failure: what is wrong, what to do, where everything known about it is.</summary>
internal static class ErrorRenderer
{
    /// <summary>The exit code after Ctrl-C, as shells have it.</summary>
    public const int Interrupted = 130;

    /// <summary>Writes the failure and answers the exit code.</summary>
    public static int Write(Exception failure, CliHost host, OutputMode mode)
    {
        switch (failure)
        {
            case OperationCanceledException:
                host.People.WriteLine("Interrupted.");
                return Interrupted;
            case VirtigoException told:
                Write(told, host, mode);
                return (int)told.Kind;
            case var trouble when HostTrouble.Explain(trouble) is { } told:
                Write(told, host, mode);
                return (int)told.Kind;
            default:
                string details = mode.Verbose ? failure.ToString() : $"{failure.GetType().Name}: {failure.Message}";
                Write(new VirtigoException(FailureKind.Internal, $"A defect of Virtigo: {details}",
                    mode.Verbose ? "Please report it with the text above." : "Please report it with what --verbose adds."), host, mode);
                return (int)FailureKind.Internal;
        }
    }

    private static void Write(VirtigoException failure, CliHost host, OutputMode mode)
    {
        if (mode.Json)
        {
            var error = new ErrorReport(new ErrorDetails(
                failure.Kind.ToString(), (int)failure.Kind, failure.Message, failure.Hint, failure.ReportDirectory));
            host.Data.WriteLine(JsonSerializer.Serialize(error, CliJson.Compact.ErrorReport));
        }

        WriteLine(host, mode, "error", "31;1", failure.Message);
        if (failure.Hint is { } hint)
        {
            WriteLine(host, mode, "hint", "36", hint);
        }

        if (failure.ReportDirectory is { } folder)
        {
            WriteLine(host, mode, "report", "36", folder);
        }
    }

    private static void WriteLine(CliHost host, OutputMode mode, string label, string colour, string text)
    {
        string start = mode.Colour ? $"\e[{colour}m{label}:\e[0m " : label + ": ";
        host.People.WriteLine(start + Text.Printable(text).ReplaceLineEndings("\n  "));
    }
}
