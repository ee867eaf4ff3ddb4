using System.CommandLine;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Host;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo doctor</c>: what this host can do, what is missing, and the command that mends it.</summary>
internal static class DoctorVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string?> machine = new("machine")
        {
            Description = "A machine that is up, whose guest is looked at instead, as by virtigo profile check",
            Arity = ArgumentArity.ZeroOrOne,
            CompletionSources = { _ => KeptTargets.MachineNames(host) },
        };
        var look = new ProfileLook(host);
        var verb = new Verb("doctor", "Look at what a build needs of this host, and what each hypervisor here can do (exit code 3: something is missing); or at a machine (11: something does harm)",
            "virtigo doctor",
            "virtigo doctor --json | jq -r '.hypervisors[] | select(.usable) | .name'",
            "virtigo doctor --json | jq -r '.findings[] | select(.mend) | .mend'   # only the commands that mend",
            "virtigo doctor server                 # a machine that is up: its clock, network, console, agent and more",
            "virtigo doctor server --seconds 60    # its clock's drift, more exactly")
        {
            machine, look.Seconds, look.With,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            if (run.Value(machine) is { } target)
            {
                return await ProfileVerbs.CheckAsync(run, target, look, cancellationToken);
            }

            var knowledge = new DoctorKnowledge { Mirror = token => HostPlanning.DescribeMirrorAsync(HostPlanning.On(run.Host.Paths, options.Archives(run)), token) };
            IReadOnlyList<HostFinding> findings = await new Doctor(run.Host.Paths, knowledge).RunAsync(cancellationToken);
            Write(run, findings, await HypervisorMatrix.LookAsync(run.Host.Paths, cancellationToken));
            return findings.Any(finding => finding.Verdict == HostVerdict.Missing) ? (int)FailureKind.Host : 0;
        });
        return verb;
    }

    private static void Write(Invocation run, IReadOnlyList<HostFinding> findings, HypervisorMatrix matrix)
    {
        if (run.Mode.Json)
        {
            var report = new DoctorReport(findings.All(finding => finding.Verdict != HostVerdict.Missing),
                [.. findings.Select(found => new DoctorLine(found.Name, found.Verdict.ToString().ToLowerInvariant(), found.Detail, found.Mend))], matrix.Json());
            run.Data(JsonSerializer.Serialize(report, CliJson.Indented.DoctorReport));
            return;
        }

        int width = findings.Max(finding => finding.Name.Length);
        foreach (HostFinding found in findings)
        {
            run.Data($"{Mark(found.Verdict)}  {found.Name.PadRight(width)}  {found.Detail}");
            if (found.Mend is { } mend)
            {
                run.Data($"      {new string(' ', width)}-> {mend}");
            }
        }

        run.Data("");
        foreach (string line in matrix.Text())
        {
            run.Data(line);
        }
    }

    private static string Mark(HostVerdict verdict) => verdict switch
    {
        HostVerdict.Ok => "ok  ",
        HostVerdict.Warning => "warn",
        _ => "MISS",
    };
}
