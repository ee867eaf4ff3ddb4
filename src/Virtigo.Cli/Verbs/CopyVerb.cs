using System.CommandLine;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Environments;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo cp</c>: files into machines that are up, out of them, and from one to the other.</summary>
internal static class CopyVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string[]> places = new("path")
        {
            Description = "Sources and, last, the target: paths of this host, and MACHINE:/path or ENVIRONMENT/MACHINE:/path",
            HelpName = "source... target",
            Arity = new ArgumentArity(2, 10_000),
            CompletionSources = { _ => KeptTargets.MachineNames(host).Select(name => name + ":/") },
        };
        Option<bool> recursive = new("--recursive", "-r") { Description = "Nothing: folders are always copied with what is in them", Hidden = true };
        var verb = new Verb("cp", "Copy files and folders into machines that are up, out of them, and between them; no network is involved",
            "virtigo cp site server:/srv/             # a folder with all in it, as /srv/site",
            "virtigo cp site/. server:/var/www/html   # what is in the folder",
            "virtigo cp server:/var/log/nginx .",
            "virtigo cp server:/etc/hosts client:/etc/hosts",
            "virtigo cp a.conf b.conf shop/server:/etc/app/")
        {
            places, recursive,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var parsed = new List<CopyPlace>();
            foreach (string place in run.Value(places)!)
            {
                parsed.Add(await PlaceAsync(run, place, cancellationToken));
            }

            IReadOnlyList<CopyResult> copied;
            using (CopyDisplay? display = run.Mode.Live ? new CopyDisplay(host.People, host.Clock) : null)
            {
                copied = await KeptFiles.CopyAsync(parsed[..^1], parsed[^1], display, cancellationToken);
            }

            Tell(run, copied);
            return 0;
        });
        return verb;
    }

    /// <summary>The place that an argument names. What begins with <c>/</c> or <c>.</c> is always of this host, as is what exists here under that very name.</summary>
    private static async Task<CopyPlace> PlaceAsync(Invocation run, string text, CancellationToken cancellationToken)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 1 || text[0] is '/' or '.' || text.AsSpan(0, colon).Count('/') > 1 || (text[(colon + 1)..] is not ['/', ..] && Path.Exists(text)))
        {
            return new CopyPlace(null, null, text);
        }

        (RunningEnvironment environment, string machine) = await KeptTargets.FindAsync(run, text[..colon], cancellationToken);
        return new CopyPlace(environment, machine, text[(colon + 1)..]);
    }

    private static void Tell(Invocation run, IReadOnlyList<CopyResult> copied)
    {
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(
                new CopyReport([.. copied.Select(one => new CopyLine(one.Source.ToString(), one.Target.ToString(), one.LeftOut))]), CliJson.Indented.CopyReport));
            return;
        }

        foreach (CopyResult one in copied.Where(one => one.LeftOut.Count > 0))
        {
            const int most = 20;
            run.People($"Left out of {Text.Plain(one.Source.ToString())}: devices, pipes, and links that lead out of it:");
            foreach (string name in one.LeftOut.Take(most))
            {
                run.People("  " + Text.Plain(name));
            }

            if (one.LeftOut.Count > most)
            {
                run.People($"  and {one.LeftOut.Count - most} more");
            }
        }
    }
}
