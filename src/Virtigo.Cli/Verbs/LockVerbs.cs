using System.CommandLine;
using System.Text.Json;
using Virtigo.Appliances;
using Virtigo.Cli.Output;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo lock</c>, <c>bundle</c> and <c>unbundle</c>: the same build again, also where there is no network.</summary>
internal static class LockVerbs
{
    public static Verb Lock(GlobalOptions options, CliHost host)
    {
        Argument<string> file = File();
        Option<string[]> set = Targets.SetOption();
        Option<bool> update = new("--update") { Description = "Lock anew what the archives have now" };
        var verb = new Verb("lock", "Write down what an appliance is built from, so that it is built from the same again",
            "virtigo lock web.yml            # builds it if need be; writes web.lock, which every later build uses",
            "virtigo lock web.yml --update   # takes in what the archives have now")
        {
            file, set, update,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string spec = run.Value(file)!;
            ApplianceSpec wanted = await ApplianceSpec.LoadAsync(spec, Targets.Read(run, null, set, locked: false), cancellationToken);
            string path = ApplianceLock.PathFor(spec, wanted);
            if (System.IO.File.Exists(path) && !run.Value(update))
            {
                throw new VirtigoException(FailureKind.Usage, $"{path} is there already, and builds of {spec} use it.", "Give --update to lock anew what the archives have now.");
            }

            AppliancePlan plan = await Targets.PlanAsync(run, wanted, cancellationToken);
            plan.CheckLockable();
            var how = new BuildOptions
            {
                Offline = run.Value(options.Offline),
                AllowExpired = run.Value(options.AllowExpired),
                SpecText = wanted.RedactedText,
                RerunCommand = BuildVerb.Rerun(run),
            };
            BuildResult built = await BuildVerb.BuildAsync(run, plan, how, null, cancellationToken);
            ApplianceLock made = ApplianceLock.Of(plan, built.Image.Manifest, host.Clock.GetUtcNow());
            await made.SaveAsync(path, cancellationToken);
            Tell(run, path, made.Files.Count, made.Files.Sum(one => one.Size),
                $"{path}: {made.Suites.Count} suites, {made.Packages.Count} packages, {made.Files.Count} files ({Words.Size(made.Files.Sum(one => one.Size))})");
            return 0;
        });
        return verb;
    }

    public static Verb Bundle(GlobalOptions options, CliHost host)
    {
        Argument<string> file = File();
        Option<string?> output = new("--output", "-o") { Description = "The file to write [default: the spec's name with .bundle]", HelpName = "file" };
        var verb = new Verb("bundle", "Put a locked appliance and all that its build needs into one file, for a machine without a network",
            "virtigo bundle web.yml                  # of a spec that virtigo lock has locked; writes web.bundle",
            "virtigo bundle web.yml -o /media/usb/web.bundle")
        {
            file, output,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string spec = run.Value(file)!;
            string target = run.Value(output) ?? Path.ChangeExtension(spec, ".bundle");
            AppliancePlan plan = await Targets.PlanAsync(run, await ApplianceSpec.LoadAsync(spec, new SpecOptions(), cancellationToken), cancellationToken);
            (int files, long bytes) = await ApplianceBundle.WriteAsync(spec, plan, run.Host.Paths, target, cancellationToken);
            Tell(run, target, files, bytes, $"{target}: {files} files ({Words.Size(bytes)})");
            return 0;
        });
        return verb;
    }

    public static Verb Unbundle(GlobalOptions options, CliHost host)
    {
        Argument<string> file = new("bundle") { Description = "What virtigo bundle wrote" };
        Argument<string> folder = new("folder") { Description = "Where the spec and its lock go", DefaultValueFactory = _ => "." };
        Option<bool> force = new("--force") { Description = "Replace files of the same name" };
        var verb = new Verb("unbundle", "Take a bundle in: its files into the cache, the spec and its lock into a folder",
            "virtigo unbundle web.bundle             # then: virtigo build web.yml --offline",
            "virtigo unbundle web.bundle appliances --force")
        {
            file, folder, force,
        };
        verb.Does(options, host, async (run, cancellationToken) =>
        {
            string spec = await ApplianceBundle.ReadAsync(run.Value(file)!, run.Value(folder)!, run.Value(force), run.Host.Paths, cancellationToken);
            Tell(run, spec, null, null, $"Build it with: virtigo build {spec} --offline");
            return 0;
        });
        return verb;
    }

    private static Argument<string> File() => new("file")
    {
        Description = "A description of an appliance (YAML)",
        CompletionSources = { _ => Targets.YamlFiles() },
    };

    private static void Tell(Invocation run, string path, int? files, long? bytes, string text)
    {
        if (run.Mode.Json)
        {
            run.Data(JsonSerializer.Serialize(new WrittenReport(path, files, bytes), CliJson.Indented.WrittenReport));
        }
        else
        {
            run.People(text);
        }
    }
}
