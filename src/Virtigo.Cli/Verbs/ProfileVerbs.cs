using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Environments;
using Virtigo.Profiles;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo profile</c>: what is known of a guest's hypervisor, as settings to look at, apply and take back.</summary>
internal static class ProfileVerbs
{
    public static Verb Make(GlobalOptions options, CliHost host) => new("profile", "Settings that a guest needs on its hypervisor: explained, measured, applied, taken back",
        "virtigo profile show tcg                 # what is known of emulated guests, and why",
        "virtigo profile check shop/server        # what of it a running machine lacks",
        "virtigo profile apply shop/server        # mend it; virtigo profile revert takes it back")
    {
        Show(options, host), Check(options, host), Apply(options, host), Revert(options, host),
    };

    /// <summary>Looks at a machine and tells what was found; the exit code is 11 when something does harm.</summary>
    public static async Task<int> CheckAsync(Invocation run, string target, ProfileLook look, CancellationToken cancellationToken)
    {
        (RunningEnvironment environment, string machine) = await KeptTargets.FindAsync(run, target, cancellationToken);
        ProfileReport report = await environment.ProfileOf(machine).CheckAsync(await look.OptionsAsync(run, environment, machine, target, cancellationToken), cancellationToken);
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(Json(target, report, []), CliJson.Indented.ProfileCheckReport));
        }
        else
        {
            Write(run, report);
        }

        return report.HasProblem ? (int)FailureKind.Test : 0;
    }

    private static Verb Show(GlobalOptions options, CliHost host)
    {
        Argument<string?> of = new("hypervisor")
        {
            Description = $"One of {string.Join(", ", GuestKinds.Words)} [default: all]",
            Arity = ArgumentArity.ZeroOrOne,
            CompletionSources = { _ => GuestKinds.Words },
        };
        var verb = new Verb("show", "Show the settings for the guests of a hypervisor, and the trap that each avoids",
            "virtigo profile show",
            "virtigo profile show tcg",
            "virtigo profile show xen --json | jq -r '.settings[].name'")
        {
            of,
        };
        verb.Does(options, host, (run, _) =>
        {
            IReadOnlyList<GuestKind> kinds = run.Value(of) is { } word ? GuestKinds.Meant(word) : GuestKinds.All;
            ProfileSetting[] settings = [.. kinds.SelectMany(GuestProfile.SettingsOf).Distinct()];
            ProfileSetting[] others = [.. kinds.SelectMany(GuestProfile.NotApplicableTo).Distinct().Except(settings)];
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(new ProfileShowReport([.. settings.Select(one => new SettingLine(
                    one.Name, one.What, one.Why, one.Read, one.Applied, one.Reverted, one.AtBuild, [.. one.Kinds.Select(GuestKinds.NameOf)], one.NotFor))],
                    [.. others.Select(one => new NotApplicableLine(one.Name, one.NotFor!))]), CliJson.Indented.ProfileShowReport));
                return Task.FromResult(0);
            }

            foreach (ProfileSetting one in settings)
            {
                run.Data($"{one.Name}: {one.What}");
                Table.Write(run.Host.Data,
                [
                    ["  why", one.Why],
                    ["  read", one.Read],
                    ["  applied", one.Applied],
                    ["  reverted", one.Reverted],
                    ["  at build", one.AtBuild],
                    ["  guests of", string.Join(", ", one.Kinds.Select(GuestKinds.NameOf)) + (one.NotFor is { } why ? $"; not applicable to others: {why}" : "")],
                ]);
                run.Data("");
            }

            foreach (ProfileSetting one in others)
            {
                run.Data($"{one.Name}: not applicable: {one.NotFor}");
            }

            return Task.FromResult(0);
        });
        return verb;
    }

    private static Verb Check(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        var look = new ProfileLook(host);
        var verb = new Verb("check", "Look at a machine that is up, measure its clock and network, and tell what is wrong; exit code 11 when something does harm",
            "virtigo profile check server",
            "virtigo profile check server --seconds 60 --with client   # the clock for a minute, transfers to and from client",
            "virtigo profile check shop/server --json | jq -r '.findings[] | select(.verdict == \"problem\") | .mend'")
        {
            machine, look.Seconds, look.With,
        };
        verb.Does(options, host, (run, cancellationToken) => CheckAsync(run, run.Value(machine)!, look, cancellationToken));
        return verb;
    }

    private static Verb Apply(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        Argument<string[]> settings = new("setting")
        {
            Description = "Settings [default: all that are not as they should be]",
            Arity = ArgumentArity.ZeroOrMore,
            CompletionSources = { _ => ProfileSetting.Names },
        };
        var look = new ProfileLook(host);
        var verb = new Verb("apply", "Change in a machine that is up what a check finds wrong, and keep in it what was before; a second time changes nothing",
            "virtigo profile apply server",
            "virtigo profile apply server clock discard",
            "virtigo profile apply server offloads --with client   # only what helps, by numbers")
        {
            machine, settings, look.Seconds, look.With,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string target = run.Value(machine)!;
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, target, cancellationToken);
            ProfileOutcome outcome = await environment.ProfileOf(name).ApplyAsync(run.Value(settings) ?? [],
                await look.OptionsAsync(run, environment, name, target, cancellationToken), cancellationToken);
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(Json(target, outcome.Report!, outcome.Steps), CliJson.Indented.ProfileCheckReport));
                return 0;
            }

            Write(run, outcome.Steps);
            foreach (ProfileFinding other in outcome.Report!.Findings.Where(finding => finding.Verdict == FindingVerdict.NotApplicable))
            {
                run.People($"{other.Setting}: {other.Text}");
            }

            foreach (ProfileFinding left in outcome.Report.Findings.Where(finding => finding is { Applies: false, Verdict: FindingVerdict.Problem or FindingVerdict.Advice }))
            {
                run.People($"{left.Setting}: {left.Text}. Not to be mended in the guest: {left.Mend}");
            }

            run.People(outcome.Steps.Count == 0 ? $"{target}: nothing was to be changed" : $"Take it back: virtigo profile revert {target}");
            return 0;
        });
        return verb;
    }

    private static Verb Revert(GlobalOptions options, CliHost host)
    {
        Argument<string> machine = KeptTargets.Machine(host);
        var verb = new Verb("revert", "Give a machine that is up back what was before anything was applied; what somebody else changed since is left",
            "virtigo profile revert server")
        {
            machine,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string target = run.Value(machine)!;
            (RunningEnvironment environment, string name) = await KeptTargets.FindAsync(run, target, cancellationToken);
            ProfileOutcome outcome = await environment.ProfileOf(name).RevertAsync(cancellationToken);
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(new ProfileRevertReport(target, Steps(outcome.Steps)), CliJson.Indented.ProfileRevertReport));
                return 0;
            }

            Write(run, outcome.Steps);
            if (outcome.Steps.Count == 0)
            {
                run.People($"{target}: nothing was applied");
            }

            return 0;
        });
        return verb;
    }

    private static void Write(Invocation run, ProfileReport report)
    {
        run.Data($"guest of {GuestKinds.NameOf(report.Kind)}");
        int width = report.Findings.Max(finding => finding.Setting.Length);
        string indent = new(' ', width + 10);
        foreach (ProfileFinding found in report.Findings)
        {
            run.Data($"{Word(found.Verdict).PadRight(6)}  {found.Setting.PadRight(width)}  {Text.Plain(found.Text)}");
            if (found is { Meaning: { } meaning, Verdict: FindingVerdict.Problem or FindingVerdict.Advice })
            {
                run.Data($"{indent}{meaning}");
            }

            if (found.Mend is { } mend)
            {
                run.Data($"{indent}-> {mend}");
            }
        }
    }

    private static void Write(Invocation run, IReadOnlyList<ProfileStep> steps)
    {
        foreach (ProfileStep step in steps)
        {
            run.Data(Text.Plain(step.Left is { } left ? $"{step.Setting}: {step.Target} is left as it is ({step.After}): {left}"
                : $"{step.Setting}: {step.Target}: {step.Before} -> {step.After}"));
        }
    }

    private static ProfileCheckReport Json(string machine, ProfileReport report, IReadOnlyList<ProfileStep> steps) => new(machine, GuestKinds.NameOf(report.Kind), !report.HasProblem,
        [.. report.Findings.Select(one => new ProfileLine(one.Setting, JsonWord(one.Verdict), one.Text) { Meaning = one.Meaning, Number = one.Number, Error = one.Error, Unit = one.Unit, Mend = one.Mend })],
        Steps(steps));

    private static IReadOnlyList<ProfileStepLine> Steps(IReadOnlyList<ProfileStep> steps) =>
        [.. steps.Select(step => new ProfileStepLine(step.Setting, step.Target, step.Before, step.After, step.Left))];

    private static string Word(FindingVerdict verdict) => verdict switch
    {
        FindingVerdict.Ok => "ok",
        FindingVerdict.Advice => "advice",
        FindingVerdict.Problem => "WRONG",
        _ => "-",
    };

    private static string JsonWord(FindingVerdict verdict) => verdict switch
    {
        FindingVerdict.Ok => "ok",
        FindingVerdict.Advice => "advice",
        FindingVerdict.Problem => "problem",
        FindingVerdict.NotApplicable => "not applicable",
        _ => "not here",
    };
}

/// <summary>How a machine is looked at, as the command line says it.</summary>
internal sealed class ProfileLook
{
    public ProfileLook(CliHost host)
    {
        With.CompletionSources.Add(_ => KeptTargets.MachineNames(host).Select(name => name.Split('/')[^1]).Distinct());
        Seconds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 1 and <= 3600))
            {
                result.AddError("A clock is compared for 1 to 3600 seconds.");
            }
        });
    }

    /// <summary>For how long the clock is compared.</summary>
    public Option<double> Seconds { get; } = new("--seconds")
    {
        Description = "How long the machine's clock is compared with this host's", HelpName = "number", DefaultValueFactory = _ => 5,
    };

    /// <summary>The other end of transfers.</summary>
    public Option<string?> With { get; } = new("--with")
    {
        Description = "The machine to measure its network against [default: any other on a network of its own]; none: the network is not measured", HelpName = "machine",
    };

    /// <summary>The same for the library.</summary>
    public async Task<ProfileOptions> OptionsAsync(Invocation run, RunningEnvironment environment, string machine, string target, CancellationToken cancellationToken) => new()
    {
        ClockTime = TimeSpan.FromSeconds(run.Value(Seconds)),
        MeasureNetwork = run.Value(With) is not "none",
        Peer = run.Value(With) is "none" ? null : await environment.PeerOfAsync(machine, run.Value(With), cancellationToken),
        MachineName = target,
        Progress = run.Mode.Verbose || run.Mode.Live ? new Told(run) : null,
    };

    private sealed class Told(Invocation run) : IProgress<string>
    {
        public void Report(string value) => run.People(string.Create(CultureInfo.InvariantCulture, $"{Text.Plain(value)}"));
    }
}
