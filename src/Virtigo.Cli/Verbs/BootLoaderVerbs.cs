using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Virtigo.Cli.Output;
using Virtigo.Images;

namespace Virtigo.Cli.Verbs;

/// <summary><c>virtigo bootloader</c>: boot loaders of disk images, from outside and without root.</summary>
internal static class BootLoaderVerbs
{
    private const int LargeSector = 4096;
    private const int Sector = 512;

    public static Verb Make(GlobalOptions options, CliHost host) => new("bootloader", "Install, verify or repair the boot loader of a disk image, without root",
        "virtigo bootloader show disk.img                 # how it is laid out, and what boots it",
        "virtigo bootloader install disk.img              # GRUB, for each firmware that it has room for",
        "virtigo bootloader repair disk.qcow2             # only what is broken")
    {
        Install(options, host), Verify(options, host), Repair(options, host), Show(options, host),
    };

    private static Verb Install(GlobalOptions options, CliHost host)
    {
        Option<string?> append = new("--append")
        {
            Description = "What kernels are told when the image has no grub.cfg, as in \"console=ttyS0 quiet\"", HelpName = "arguments",
        };
        return Verb(options, host, "install", "Make GRUB and put it into an image; a grub.cfg of its own is kept", append,
            (path, how, cancellationToken) => BootLoader.InstallAsync(path, how, cancellationToken), Told,
            "virtigo bootloader install disk.img",
            "virtigo bootloader install disk.qcow2 --firmware uefi",
            "virtigo bootloader install disk.img --append console=ttyS0");
    }

    private static Verb Verify(GlobalOptions options, CliHost host) => Verb(options, host, "verify",
        "Walk the chain from the firmware to the kernel, and say where it breaks; exit code 9 when it does", null,
        (path, how, cancellationToken) => BootLoader.ExamineAsync(path, how, cancellationToken), (run, report) => WriteChain(run, report),
        "virtigo bootloader verify disk.img",
        "virtigo bootloader verify disk.qcow2 --json | jq '.chain[] | select(.verdict == \"broken\")'");

    private static Verb Repair(GlobalOptions options, CliHost host) => Verb(options, host, "repair",
        "Mend a boot loader that is broken, with what the image itself has of it if possible", null,
        (path, how, cancellationToken) => BootLoader.RepairAsync(path, how, cancellationToken), Told,
        "virtigo bootloader repair disk.img",
        "virtigo bootloader repair disk.qcow2 --firmware bios");

    private static Verb Show(GlobalOptions options, CliHost host) => Verb(options, host, "show", "Show how an image is laid out, as a boot loader sees it", null,
        (path, how, cancellationToken) => BootLoader.ExamineAsync(path, how, cancellationToken), (run, report) => WriteLayout(run, report),
        "virtigo bootloader show disk.img",
        "virtigo bootloader show disk.qcow2 --json | jq .layout.partitions");

    private static Verb Verb(GlobalOptions options, CliHost host, string name, string description, Option<string?>? append,
        Func<string, BootLoaderOptions, CancellationToken, Task<BootLoaderReport>> work, Action<Invocation, BootLoaderReport> tell, params string[] examples)
    {
        Argument<string> image = new("image") { Description = "A disk's file: raw or qcow2; never a device" };
        Option<string> firmware = new("--firmware") { Description = "By which firmware it boots; without it, each that it has room for", DefaultValueFactory = _ => "auto" };
        firmware.AcceptOnlyFromAmong("auto", "bios", "uefi");
        Option<int?> sector = new("--sector-size") { Description = "The size of the disk's sectors, 512 or 4096, where no GPT tells it", HelpName = "bytes" };
        sector.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is not (null or Sector or LargeSector))
            {
                result.AddError("Sectors have 512 or 4096 bytes.");
            }
        });
        var verb = new Verb(name, description, examples) { image, firmware, sector };
        if (append is not null)
        {
            verb.Add(append);
        }

        verb.Does(options, host, async (run, cancellationToken) =>
        {
            var how = new BootLoaderOptions
            {
                Firmware = Enum.Parse<BootFirmware>(run.Value(firmware)!, ignoreCase: true), SectorBytes = run.Value(sector),
                KernelArguments = append is null ? null : run.Value(append),
            };
            BootLoaderReport report = await work(run.Value(image)!, how, cancellationToken);
            if (run.Mode.Json)
            {
                run.Data(JsonSerializer.Serialize(Report(report), CliJson.Indented.BootReport));
            }
            else
            {
                foreach (string done in report.Done)
                {
                    run.People(Text.Plain(done));
                }

                tell(run, report);
            }

            return name == "show" || report.Boots ? 0 : (int)FailureKind.BootTest;
        });
        return verb;
    }

    private static BootReport Report(BootLoaderReport report) => new(report.Boots, report.Done,
        [.. report.Chain.Select(one => new BootLine(Word(one.Firmware), one.Link, Word(one.Verdict), one.Text))], report.Layout);

    private static void Told(Invocation run, BootLoaderReport report)
    {
        foreach (BootFinding one in report.Chain.Where(one => one.Verdict != BootVerdict.Good))
        {
            run.People($"{Word(one.Verdict)}: {one.Link}: {Text.Plain(one.Text)}");
        }

        run.People(report.Done.Count == 0 ? $"{report.Layout.Path}: nothing is broken, nothing was changed" : $"{report.Layout.Path}: its chain is whole");
    }

    private static void WriteChain(Invocation run, BootLoaderReport report)
    {
        Table.Write(run.Host.Data, [.. report.Chain.Select(one => (IReadOnlyList<string>)[Word(one.Firmware), one.Link, Word(one.Verdict), Text.Plain(one.Text)])]);
        BootFinding? broken = report.Chain.FirstOrDefault(one => one.Verdict == BootVerdict.Broken);
        run.People(broken is null ? report.Chain.Any(one => one.Verdict == BootVerdict.NotChecked) ? "nothing is broken; not all of it could be checked" : "the chain is whole"
            : $"it breaks at the {broken.Link}; mend it: virtigo bootloader repair {report.Layout.Path}");
    }

    private static void WriteLayout(Invocation run, BootLoaderReport report)
    {
        BootLayout layout = report.Layout;
        Table.Write(run.Host.Data,
        [
            ["file", layout.Path],
            ["disk", $"{layout.Format}, {Words.Size(layout.Bytes)}, table {layout.Table}, sectors of {layout.SectorBytes} bytes"],
            ["core", layout.CoreStart is { } start ? string.Create(CultureInfo.InvariantCulture, $"room for {layout.CoreBytes / Sector} sectors of 512 bytes from sector {start / Sector}")
                : "no room for a BIOS boot loader"],
        ]);
        run.Data("");
        Table.Write(run.Host.Data, [["DEVICE", "START", "SIZE", "HAS", "ROLE", "UUID"], .. layout.Partitions.Select(one => (IReadOnlyList<string>)
            [one.Device, (one.Start / layout.SectorBytes).ToString(CultureInfo.InvariantCulture), Words.Size(one.Bytes), one.FileSystem ?? "-", one.Role ?? "-", one.Uuid ?? "-"])]);
        run.Data("");
        WriteChain(run, report);
    }

    private static string Word(BootFirmware firmware) => firmware == BootFirmware.Bios ? "bios" : "uefi";

    private static string Word(BootVerdict verdict) => verdict switch
    {
        BootVerdict.Good => "good",
        BootVerdict.Broken => "broken",
        BootVerdict.Doubtful => "doubtful",
        _ => "not checked",
    };
}
