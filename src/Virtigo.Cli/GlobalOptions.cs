using System.CommandLine;
using Virtigo.Archives;
using Virtigo.Cli.Output;

namespace Virtigo.Cli;

/// <summary>Options that every verb understands.</summary>
internal sealed class GlobalOptions
{
    public Option<bool> Offline { get; } = new("--offline")
    {
        Description = "Make no request to a network; what is not in the cache is an error",
        Recursive = true,
    };

    public Option<bool> AllowExpired { get; } = new("--allow-expired")
    {
        Description = "Accept an archive whose signed Release file is past its date",
        Recursive = true,
    };

    public Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "Say more: each file fetched, each command run, where a defect is",
        Recursive = true,
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Print JSON on standard output",
        Recursive = true,
    };

    public OutputMode Mode(ParseResult result, CliHost host) => host.Mode(result.GetValue(Json), result.GetValue(Verbose));

    public ArchiveOptions Archives(Invocation run) => new()
    {
        Offline = run.Value(Offline),
        AllowExpired = run.Value(AllowExpired),
        Clock = run.Host.Clock,
        Progress = run.Mode.Verbose ? fetched => Told(fetched, run.Host) : null,
    };

    private static void Told(FetchProgress fetched, CliHost host)
    {
        if (fetched.Note is { } note)
        {
            host.People.WriteLine($"{fetched.Url}: {note}");
        }
        else if (fetched.Finished)
        {
            host.People.WriteLine($"{fetched.Url}: {Words.Size(fetched.Received)}");
        }
    }
}
