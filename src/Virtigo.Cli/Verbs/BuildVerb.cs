using System.CommandLine;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;
using Virtigo.Hypervisors;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo build</c>: an image of an appliance.</summary>
internal static class BuildVerb
{
    public static Verb Make(GlobalOptions options, CliHost host)
    {
        Argument<string> target = Targets.Argument();
        Option<string?> name = Targets.NameOption();
        Option<string[]> set = Targets.SetOption();
        Option<string?> medium = Targets.MediumOption();
        Option<string?> keyring = Targets.KeyringOption();
        Option<string> accelerator = Accelerators.Option();
        Option<string?> hypervisor = HypervisorOptions.Option("What runs the installer [default: what the description says, else auto]");
        Option<bool> matrix = HypervisorOptions.Matrix("Prove the image on every hypervisor that can be used here, and record it");
        Option<bool> force = new("--force") { Description = "Build even if the image is in the store" };
        Option<bool> full = new("--full") { Description = "Install from the beginning, and even if the image is in the store: go on from no saved installer" };
        Option<bool> unlocked = new("--unlocked") { Description = "Use the archives as they are, even if there is a lock beside the description" };
        Option<string?> timeLimit = new("--time-limit") { Description = "The longest the build may take, such as 2h", HelpName = "time" };
        Option<string?> trafficLimit = new("--traffic-limit") { Description = "The most that the guest may fetch [default: what its disk can hold]", HelpName = "size" };
        Option<bool> dryRun = new("--dry-run") { Description = "Show the plan and whether it is built already; build nothing" };
        Option<bool> answers = new("--print-answers") { Description = "Print the answers the installer would be given, without secrets; build nothing" };
        var verb = new Verb("build", "Build the image of an appliance, unless it is built already",
            "virtigo build web.yml                          # about as long as an install takes; at once the second time",
            "virtigo build debian --name base               # no file at all",
            "virtigo build web.yml --set release=bookworm   # one of those its matrix describes; without it all of them",
            "virtigo build ubuntu.yml --medium noble.iso    # Ubuntu, from its own medium",
            "virtigo build web.yml --matrix                 # one image, proven on every hypervisor that is there",
            "virtigo build web.yml --print-answers          # what the installer will be told, and why",
            "virtigo build web.yml --json | jq -r 'select(.event == \"done\") | .path'")
        {
            target, name, set, medium, keyring, hypervisor, matrix, accelerator, force, full, unlocked, timeLimit, trafficLimit, dryRun, answers,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            IReadOnlyList<ApplianceSpec> specs = await ApplianceSpec.OpenAllAsync(
                run.Value(target)!, Targets.Read(run, name, set, locked: !run.Value(unlocked)), cancellationToken);
            foreach (ApplianceSpec spec in specs)
            {
                spec.Use(run.Value(medium), run.Value(keyring));
                spec.UseHypervisor(run.Value(hypervisor));
            }

            BuildOptions how = new()
            {
                Offline = run.Value(options.Offline),
                AllowExpired = run.Value(options.AllowExpired),
                Force = run.Value(force),
                Full = run.Value(full),
                TimeLimit = run.Value(timeLimit) is { } time ? Testing.TestOptions.ReadDuration(time) : null,
                TrafficLimit = run.Value(trafficLimit) is { } size ? BuildOptions.ReadSize(size) : null,
                Accelerator = Accelerators.Of(run.Value(accelerator)),
                RerunCommand = Rerun(run),
            };
            if (run.Value(answers) || run.Value(dryRun))
            {
                foreach (ApplianceSpec spec in specs)
                {
                    AppliancePlan plan = await Builder(run).PlanAsync(spec, options.Archives(run), cancellationToken);
                    Show(run, plan, run.Value(answers));
                }
            }
            else
            {
                IReadOnlyList<StoredImage> images = await BuildAllAsync(run, specs, how, cancellationToken);
                if (run.Value(matrix))
                {
                    return await ProveAsync(run, images, cancellationToken);
                }
            }

            return 0;
        });
        return verb;
    }

    private static void Show(Invocation run, AppliancePlan plan, bool answers)
    {
        if (answers)
        {
            run.Host.Data.Write(ApplianceBuilder.Answers(plan));
        }
        else
        {
            DryRun(run, plan);
        }
    }

    /// <summary>
    /// Builds all, at most as many at once as there are processors; each waits for the memory it needs. One that fails does not end the others.
    /// </summary>
    private static async Task<IReadOnlyList<StoredImage>> BuildAllAsync(
        Invocation run, IReadOnlyList<ApplianceSpec> specs, BuildOptions how, CancellationToken cancellationToken)
    {
        var images = new List<StoredImage>();
        var gate = new Lock();
        var failures = new List<VirtigoException>();
        var limit = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(specs, limit, async (spec, token) =>
        {
            try
            {
                long start = run.Host.Clock.GetTimestamp();
                AppliancePlan plan = await Builder(run).PlanAsync(spec, run.Options.Archives(run), token);
                BuildResult built = await BuildAsync(run, plan, how with { SpecText = spec.RedactedText }, specs.Count > 1 ? spec.Name.Value : null, token);
                lock (gate)
                {
                    images.Add(built.Image);
                    Tell(run, built with { Elapsed = run.Host.Clock.GetElapsedTime(start) });
                }
            }
            catch (VirtigoException failure) when (specs.Count > 1)
            {
                lock (gate)
                {
                    failures.Add(failure);
                    run.People($"{spec.Name.Value}: {failure.Message}");
                }
            }
        });
        if (failures is [var first, ..])
        {
            throw failures.Count == 1 ? first : new VirtigoException(first.Kind, $"{failures.Count} of {specs.Count} appliances were not built.", "Each has said above why.", first);
        }

        return images;
    }

    /// <summary>Proves each image on every hypervisor where it was not proven yet.</summary>
    private static async Task<int> ProveAsync(Invocation run, IReadOnlyList<StoredImage> images, CancellationToken cancellationToken)
    {
        int worst = 0;
        foreach (StoredImage image in images)
        {
            worst = Math.Max(worst, await ImageProveVerb.ProveAllAsync(run, image, again: false, cancellationToken));
        }

        return worst;
    }

    /// <summary>Builds with a display of what happens.</summary>
    /// <param name="run">The run.</param>
    /// <param name="plan">What to build.</param>
    /// <param name="how">How.</param>
    /// <param name="among">The appliance's name where it is one of several that are built at the same time; else null.</param>
    /// <param name="cancellationToken">Ends the build.</param>
    public static async Task<BuildResult> BuildAsync(
        Invocation run, AppliancePlan plan, BuildOptions how, string? among, CancellationToken cancellationToken)
    {
        await using IBuildDisplay display = IBuildDisplay.For(run.Host, run.Mode, among);
        return await Builder(run).BuildAsync(plan, how, display, cancellationToken);
    }

    /// <summary>Tells the result: for people in one line, for programs the path of the disk.</summary>
    public static void Tell(Invocation run, BuildResult result)
    {
        StoredImage image = result.Image;
        long bytes = ImageStore.AllocatedBytes(image);
        double boot = image.Manifest.BootTest.SecondsToMultiUser;
        if (run.Mode.Json)
        {
            var line = new BuildDoneLine("done", image.Name, image.Key, image.DiskPath, result.AlreadyBuilt, bytes,
                Math.Round(result.Elapsed.TotalSeconds, 3), boot);
            run.Data(JsonSerializer.Serialize(line, CliJson.Compact.BuildDoneLine));
            return;
        }

        string how = result.AlreadyBuilt ? $"already built ({Words.Time(result.Elapsed)})" : $"built in {Words.Time(result.Elapsed)}";
        run.People($"image {image.Name} {ImagesVerb.Short(image.Key)}  {Words.Size(bytes)}, {how}, boots in {Words.Time(TimeSpan.FromSeconds(boot))}");
    }

    private static void DryRun(Invocation run, AppliancePlan plan)
    {
        StoredImage? built = Builder(run).Built(plan);
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new DryRunReport(plan.Name.Value, plan.Fingerprint, built is not null, built?.Key), CliJson.Indented.DryRunReport));
            return;
        }

        ExplainVerb.Write(run, plan);
        run.People(built is null ? "would be built" : $"already built: {ImagesVerb.Short(built.Key)}");
    }

    public static ApplianceBuilder Builder(Invocation run) => new(run.Host.Paths, HypervisorCatalog.All(run.Host.Paths), run.Host.Clock);

    /// <summary>The command line that repeats this run, quoted for a shell.</summary>
    public static string Rerun(Invocation run) => "virtigo " + string.Join(' ', run.Result.Tokens.Select(token => Quoted(token.Value)));

    private static string Quoted(string word) =>
        word.Length > 0 && word.All(character => char.IsAsciiLetterOrDigit(character) || "-_./:=+,@%".Contains(character))
            ? word
            : "'" + word.Replace("'", @"'\''", StringComparison.Ordinal) + "'";
}
