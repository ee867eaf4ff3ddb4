using System.Globalization;
using System.Text.RegularExpressions;

namespace Virtigo.Installers.Debian;

/// <summary>Reads from the installer's syslog which stage it is in and how much work of that stage has been done.</summary>
/// <param name="first">The stage that it begins in.</param>
internal sealed partial class StageReader(InstallStage first = InstallStage.Components)
{
    private const int MaximumSteps = 1_000_000;

    /// <summary>The stage under way. It never goes back, though the installer's menu may.</summary>
    public InstallStage Stage { get; private set; } = first;

    /// <summary>The pieces of work done in this stage: components loaded, packages unpacked and set up, scripts run.</summary>
    public int Steps { get; private set; }

    /// <summary>The pieces of work that this stage announced; 0 when it announces none.</summary>
    public int Announced { get; private set; }

    /// <summary>What is done at this moment, or null.</summary>
    public string? Detail { get; private set; }

    /// <summary>Takes a line.</summary>
    /// <returns>Whether a new stage began.</returns>
    public bool Take(SyslogLine line)
    {
        if (StageOf(line) is { } stage && stage > Stage)
        {
            (Stage, Steps, Announced, Detail) = (stage, 0, 0, null);
            return true;
        }

        Work(line);
        return false;
    }

    private static InstallStage? StageOf(SyslogLine line)
    {
        if (line.Program == "base-installer" && line.Message.StartsWith("info: Using kernel '", StringComparison.Ordinal))
        {
            return InstallStage.Kernel;
        }

        if (line.Program != "main-menu" || MenuItem().Match(line.Message) is not { Success: true } item)
        {
            return null;
        }

        return item.Groups[1].Value switch
        {
            "disk-detect" or "partman-base" => InstallStage.Disk,
            "bootstrap-base" or "live-installer" => InstallStage.BaseSystem,
            "apt-setup-udeb" => InstallStage.Apt,
            "pkgsel" => InstallStage.Packages,
            "grub-installer" or "systemd-boot-installer" or "nobootloader" => InstallStage.BootLoader,
            "finish-install" => InstallStage.Finishing,
            _ => null,
        };
    }

    private void Work(SyslogLine line)
    {
        string? detail = line.Program switch
        {
            "anna" when Retrieving().Match(line.Message) is { Success: true } m => "loading " + m.Groups[1].Value,
            "debootstrap" or "in-target" or "base-installer" when Package().Match(line.Message) is { Success: true } m =>
                (m.Groups[1].ValueSpan.StartsWith("S") ? "configuring " : "unpacking ") + m.Groups[2].Value,
            "in-target" when line.Message.StartsWith("update-initramfs: Generating ", StringComparison.Ordinal) => "building the initramfs",
            "finish-install" when Script().Match(line.Message) is { Success: true } m => m.Groups[1].Value,
            _ => null,
        };
        if (detail is not null)
        {
            (Detail, Steps) = (detail, Math.Min(Steps + 1, MaximumSteps));
        }
        else if (line.Program == "in-target" && Planned().Match(line.Message) is { Success: true } plan)
        {
            int packages = Count(plan.Groups[1]) + Count(plan.Groups[2]);
            Announced = Math.Min(MaximumSteps, Math.Max(Announced, Steps) + (2 * packages));
        }
    }

    private static int Count(Group group) =>
        int.TryParse(group.ValueSpan, CultureInfo.InvariantCulture, out int count) ? Math.Min(count, MaximumSteps / 4) : 0;

    [GeneratedRegex(@"Menu item '([a-z0-9\-]{1,80})' selected", RegexOptions.CultureInvariant)]
    private static partial Regex MenuItem();

    [GeneratedRegex(@"retrieving ([a-zA-Z0-9+.\-]{1,80}) ", RegexOptions.CultureInvariant)]
    private static partial Regex Retrieving();

    [GeneratedRegex(@"^(Setting up|Unpacking) ([a-z0-9+.\-]{1,80})(:[a-z0-9]+)? \(", RegexOptions.CultureInvariant)]
    private static partial Regex Package();

    [GeneratedRegex(@"Running /usr/lib/finish-install\.d/\d\d([a-z0-9\-]{1,40})", RegexOptions.CultureInvariant)]
    private static partial Regex Script();

    [GeneratedRegex(@"^(\d{1,7}) upgraded, (\d{1,7}) newly installed", RegexOptions.CultureInvariant)]
    private static partial Regex Planned();
}
