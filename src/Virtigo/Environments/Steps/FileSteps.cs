using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>Copies a file or tree of the host into a machine. Nothing outside the step's own folder is ever read.</summary>
internal sealed record CopyInStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => "streams";

    public required string Machine { get; init; }

    /// <summary>Relative to the folder of the file that the step stands in.</summary>
    public required string From { get; init; }

    public required string To { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine || values.Text("from") is not { } from || values.Text("to") is not { } to)
        {
            values.Wrong(null, "copy in: machine, from and to are needed, as in: copy in: {machine: server, from: site, to: /var/www/html}");
            return null;
        }

        return new CopyInStep { Place = values.Place, Title = values.Title, Machines = [machine], Machine = machine, From = from, To = to };
    }

    public override Task RunAsync(StepContext context, CancellationToken cancellationToken) =>
        context.Target.Machine(Machine).CopyInAsync(Source(context.BaseFolder), To, cancellationToken);

    /// <summary>The path on the host, with every link in it followed and found to lie below the folder.</summary>
    internal string Source(string folder)
    {
        string home = Real(Path.GetFullPath(folder));
        string source = Real(Path.GetFullPath(Path.Combine(home, From)));
        if (!File.Exists(source) && !Directory.Exists(source))
        {
            throw new StepFailedException($"{Machine}: there is no {SpecProblems.Quote(From)} below {home} to copy in.");
        }

        return source == home || source.StartsWith(home.TrimEnd('/') + "/", StringComparison.Ordinal)
            ? source
            : throw new StepFailedException($"{Machine}: {SpecProblems.Quote(From)} leads out of {home}; only what lies below it is copied in.");
    }

    /// <summary>The path with the links of all its parts followed.</summary>
    private static string Real(string path)
    {
        string real = "/";
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(real, part);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            real = info.LinkTarget is null ? next : Real(info.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? next);
        }

        return real;
    }
}

/// <summary>Copies a file or tree of a machine to the artifacts.</summary>
internal sealed record CopyOutStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => "streams";

    public required string Machine { get; init; }

    public required string From { get; init; }

    /// <summary>Relative to the machine's folder of the artifacts.</summary>
    public required string To { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine || values.Text("from") is not { } from)
        {
            values.Wrong(null, "copy out: machine and from are needed, as in: copy out: {machine: server, from: /var/log/nginx}");
            return null;
        }

        string to = values.Text("to") ?? Path.GetFileName(from.TrimEnd('/'));
        return new CopyOutStep
        {
            Place = values.Place,
            Title = values.Title,
            Machines = [machine],
            Machine = machine,
            From = from,
            To = to is "" or ".." ? "root" : to,
        };
    }

    public override async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        if (context.PlaceFor(Machine, To) is { } target)
        {
            await context.Target.Machine(Machine).CopyOutAsync(From, target, cancellationToken);
        }
    }
}

/// <summary>Takes a picture of a machine's screen into the artifacts.</summary>
internal sealed record ScreenshotStep : Step
{
    /// <inheritdoc/>
    public override string? Needs => "screen";

    public required string Machine { get; init; }

    /// <summary>The file's name, below the machine's folder of the artifacts.</summary>
    public required string To { get; init; }

    public static Step? Read(StepValues values)
    {
        if (values.Machine("machine") is not { } machine)
        {
            values.Wrong(null, "screenshot: the machine is missing, as in: screenshot: server");
            return null;
        }

        return new ScreenshotStep
        {
            Place = values.Place,
            Title = values.Title,
            Machines = [machine],
            Machine = machine,
            To = values.Text("to") ?? FormattableString.Invariant($"screen-line-{values.Place.Line}.png"),
        };
    }

    public override async Task RunAsync(StepContext context, CancellationToken cancellationToken)
    {
        byte[] picture = await context.Target.Machine(Machine).ScreenshotAsync(cancellationToken);
        if (context.PlaceFor(Machine, To) is { } target)
        {
            await File.WriteAllBytesAsync(target, picture, cancellationToken);
        }
    }
}
