void bench_costs(void);
void bench_costs(void) {
}
