using System.Globalization;

namespace Virtigo.Profiles;

/// <summary>The settings about time.</summary>
internal static partial class ProfileTable
{
    private static ProfileSetting Clock() => new("clock",
        "The guest's clock, against the host's",
        "A guest that was paused, saved or starved has a clock that is behind: certificates are not yet valid, logs of two machines cannot be put in order, tokens expire.",
        "The guest is asked for its time several times; half of each round trip is the error. The best of the first third and of the last third give the drift.",
        "The clock is moved by what was measured, in one step.",
        "Not at all: nobody needs a wrong clock back.",
        GuestKinds.All,
        (setting, _, measured) =>
        {
            if (measured.Clock is not { } clock)
            {
                return setting.NotHere("not measured");
            }

            string text = string.Create(CultureInfo.InvariantCulture,
                $"{clock.Offset * 1000:+0.0;-0.0} ms ± {clock.Error * 1000:0.0} ms against the host{(clock.Drift is { } drift ? string.Create(CultureInfo.InvariantCulture, $", drift {drift:+0;-0;0} ± {clock.DriftError:0} ppm over {clock.Seconds:0.0} s") : "")}");
            Judgment judgment = clock.IsOff ? setting.Wrong(FindingVerdict.Problem, text) with { StepClock = -clock.Offset } : setting.Ok(text);
            return judgment with
            {
                Finding = judgment.Finding with { Number = Math.Round(clock.Offset, 6), Error = Math.Round(clock.Error, 6), Unit = "s", Applies = clock.IsOff },
            };
        })
        {
            AtBuild = "Nothing: a clock can be compared on a machine that runs, only.",
        };

    private static ProfileSetting ClockSource() => new("clocksource",
        "What the guest's kernel counts time with",
        "A clock source that the hypervisor does not carry through makes time jump or run at the wrong speed: more than 500 ppm is more than NTP can steer.",
        "/sys/devices/system/clocksource/clocksource0, and the drift that was measured.",
        "Written there at once, and by a file in /etc/tmpfiles.d at each boot. A guest that finds itself on another hypervisor, which has no such source, keeps the kernel's choice.",
        WrittenBack,
        [GuestKind.Kvm, GuestKind.Tcg, GuestKind.XenPv, GuestKind.XenPvh, GuestKind.XenHvm],
        (setting, facts, measured) =>
        {
            string now = facts.Value("clocksource");
            IReadOnlyList<string> good = GoodSources(facts.Kind);
            if (now.Length == 0)
            {
                return setting.NotHere("the kernel does not say what it counts time with");
            }

            bool drifts = measured.Clock is { Drifts: true };
            string drift = measured.Clock is { Drift: { } ppm } clock ? string.Create(CultureInfo.InvariantCulture, $", drift {ppm:+0;-0;0} ± {clock.DriftError:0} ppm") : "";
            // Down the list only: a second look does not go back to what drifted before.
            string? better = (good.Contains(now) ? good.SkipWhile(source => source != now).Skip(1) : good).FirstOrDefault(facts.ClockSources.Contains);
            Judgment judgment = good.Contains(now) && !drifts ? setting.Ok($"{now}{drift}")
                : better is null ? setting.Elsewhere(drifts ? FindingVerdict.Problem : FindingVerdict.Advice, $"{now}{drift}; the kernel has no better one",
                    "Let NTP steer it, or give the guest a processor whose time stamp counter is steady.")
                : setting.Wrong(drifts ? FindingVerdict.Problem : FindingVerdict.Advice, $"{now}{drift}; {better} is there",
                    ProfileChange.File(ProfileTargets.ClockSourceFile, $"w {ProfileTargets.ClockSource} - - - - {better}\n"),
                    new ProfileChange(ChangeKind.Knob, ProfileTargets.ClockSource, better));
            return judgment with
            {
                Finding = judgment.Finding with
                {
                    Number = measured.Clock?.Drift is { } number ? Math.Round(number, 1) : null,
                    Error = measured.Clock?.Drift is null ? null : Math.Round(measured.Clock.DriftError, 1),
                    Unit = measured.Clock?.Drift is null ? null : "ppm",
                },
            };
        })
        {
            NotFor = "User-Mode Linux has one clock, which is the host's",
            AtBuild = "Nothing: the kernel chooses by what each hypervisor has, and a check on a machine that runs tells when that drifts.",
        };

    private static ProfileSetting Ntp() => new("ntp",
        "A program that keeps the guest's clock right",
        "No hypervisor keeps a guest's clock right for days: it drifts, and is behind after each pause.",
        "The units of chrony, systemd-timesyncd, ntpsec and openntpd.",
        "The one that is installed is unmasked, enabled and started.",
        "It is stopped, disabled or masked again, as it was.",
        GuestKinds.All,
        (setting, facts, _) =>
        {
            string? running = ProfileTargets.TimeUnits.FirstOrDefault(unit => facts.Unit(unit) is { Active: "active", File: not ("masked" or "masked-runtime") });
            if (running is not null)
            {
                return setting.Ok($"{running} runs");
            }

            string? there = ProfileTargets.TimeUnits.FirstOrDefault(unit => facts.Unit(unit).Load == "loaded")
                ?? (facts.Has("chronyd") ? "chrony.service" : facts.Has("systemd-timesyncd") ? "systemd-timesyncd.service"
                    : facts.Has("ntpd") ? "ntpsec.service" : facts.Has("openntpd") ? "openntpd.service" : null);
            return there is not null
                ? setting.Wrong(FindingVerdict.Problem, $"{there} is {facts.Unit(there) switch { { File: "masked" or "masked-runtime" } => "masked", _ => "not running" }}",
                    new ProfileChange(ChangeKind.Unit, there, ProfileChange.On))
                : setting.Elsewhere(FindingVerdict.Advice, "none is installed", "In the machine's spec: profile: auto, or packages: [chrony]");
        })
        {
            AtBuild = "The program that is in the image is unmasked and enabled; where the description brings none, systemd-timesyncd is installed.",
            Packages = ["systemd-timesyncd", "chrony", "ntpsec", "openntpd"],
            Build = _ => [BuildStep.Unit(ProfileTargets.TimeUnits)],
        };

    private static ProfileSetting Wallclock() => new("wallclock",
        "Whether a Xen guest's clock is its own",
        "Kernels of old let a guest's clock follow the host's, and NTP in the guest fought against it. Where there is no such knob, the clock is the guest's own anyway.",
        ProfileTargets.Wallclock,
        "Written there at once, and by a file in /etc/sysctl.d at each boot.",
        WrittenBack,
        Xen,
        (setting, facts, _) => facts.Value("wallclock") switch
        {
            "" => setting.NotHere("this kernel has no such knob: the clock is the guest's own"),
            "1" => setting.Ok("the clock is the guest's own"),
            _ => setting.Wrong(FindingVerdict.Advice, "the clock follows the host's",
                ProfileChange.File(ProfileTargets.WallclockFile, "xen.independent_wallclock = 1\n"),
                new ProfileChange(ChangeKind.Knob, ProfileTargets.Wallclock, "1")),
        })
        {
            NotFor = "only kernels of Xen's guests ever had the knob",
            AtBuild = "Nothing: kernels of today have no such knob; on one of old, apply it to the machine.",
        };

    private static IReadOnlyList<string> GoodSources(GuestKind kind) => kind switch
    {
        GuestKind.Kvm => ["kvm-clock", "tsc"],
        GuestKind.Tcg => ["hpet", "acpi_pm", "tsc"],
        _ => ["xen", "tsc"],
    };
}
